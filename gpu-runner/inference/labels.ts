export type LabelMap = Uint8Array | Uint16Array;

/** An array that holds every value from 0 to `largest`. */
export function labelArray(voxels: number, largest: number): LabelMap {
  return largest > 255 ? new Uint16Array(voxels) : new Uint8Array(voxels);
}

/**
 * The channel with the largest logit of each voxel, the first of equals; softmax keeps the order, so it is left out.
 * `logits` are `[classes, voxels]`, `labels` `[voxels]`.
 */
export function argmaxLabels(logits: Float32Array, classes: number, labels: LabelMap): void {
  const voxels = labels.length;
  for (let n = 0; n < voxels; n += 1) {
    let best = logits[n] ?? 0;
    let label = 0;
    for (let c = 1; c < classes; c += 1) {
      const logit = logits[c * voxels + n] ?? 0;
      if (logit <= best) continue;
      best = logit;
      label = c;
    }
    labels[n] = label;
  }
}

/**
 * The value of the last region whose probability is at least 0.5, else 0. A probability is at least 0.5 where its
 * logit is at least 0. `logits` are `[regions, voxels]`, `values` the regions' own, `labels` `[voxels]`.
 */
export function regionLabels(logits: Float32Array, values: readonly number[], labels: LabelMap): void {
  const voxels = labels.length;
  labels.fill(0);
  for (const [index, value] of values.entries()) {
    for (let n = 0; n < voxels; n += 1) {
      if ((logits[index * voxels + n] ?? 0) >= 0) labels[n] = value;
    }
  }
}

/** Turns logits `[classes, voxels]` into probabilities, in place. */
export function activate(logits: Float32Array, classes: number, activation: 'softmax' | 'sigmoid'): Float32Array {
  if (activation === 'softmax') return softmax(logits, classes);
  for (let n = 0; n < logits.length; n += 1) logits[n] = 1 / (1 + Math.exp(-(logits[n] ?? 0)));
  return logits;
}

function softmax(logits: Float32Array, classes: number): Float32Array {
  const voxels = logits.length / classes;
  for (let n = 0; n < voxels; n += 1) {
    let largest = Number.NEGATIVE_INFINITY;
    for (let c = 0; c < classes; c += 1) largest = Math.max(largest, logits[c * voxels + n] ?? 0);
    let sum = 0;
    for (let c = 0; c < classes; c += 1) sum += Math.exp((logits[c * voxels + n] ?? 0) - largest);
    for (let c = 0; c < classes; c += 1) {
      logits[c * voxels + n] = Math.exp((logits[c * voxels + n] ?? 0) - largest) / sum;
    }
  }
  return logits;
}
