import type { LabelMap } from './labels.ts';

/**
 * How sure the network was of a label, on its own grid and before components are dropped. Sums over the label's
 * voxels; divided by `voxels` they are means.
 */
export interface LabelStatistics {
  readonly value: number;
  readonly voxels: number;
  /** Of the probabilities that decided: softmax's largest; of regions, the label's own, and for 0 that of no region. */
  readonly probability: number;
  /** Of the entropies in nats: of softmax's distribution; of regions, of the one that decided, yes or no. */
  readonly entropy: number;
}

/** Logits so far below the largest add less than 1e-7 to a probability or an entropy, and are left out: most are. */
const FAR_BELOW = 20;

/** Counts voxels, probabilities and entropies of labels, plane by plane. */
export class LabelTally {
  readonly #voxels: Float64Array;
  readonly #probability: Float64Array;
  readonly #entropy: Float64Array;

  constructor(largest: number) {
    this.#voxels = new Float64Array(largest + 1);
    this.#probability = new Float64Array(largest + 1);
    this.#entropy = new Float64Array(largest + 1);
  }

  /**
   * Adds the voxels of a plane with its logits `[classes, voxels]` and the labels that these decided. With d the
   * distance of a logit from the largest and S the sum of all exp(-d), softmax's largest is 1 / S and its entropy
   * log(S) + sum(d * exp(-d)) / S.
   */
  addClasses(logits: Float32Array, labels: LabelMap): void {
    const voxels = labels.length;
    for (let n = 0; n < voxels; n += 1) {
      const label = labels[n] ?? 0;
      const best = logits[label * voxels + n] ?? 0;
      let sum = 0;
      let moment = 0;
      for (let at = n; at < logits.length; at += voxels) {
        const below = best - (logits[at] ?? 0);
        if (below > FAR_BELOW) continue;
        const share = below === 0 ? 1 : Math.exp(-below);
        sum += share;
        moment += below * share;
      }
      if (sum === 1) this.#add(label, 1, 0);
      else this.#add(label, 1 / sum, Math.log(sum) + moment / sum);
    }
  }

  /** The same for logits `[regions, voxels]` of regions with these label values. */
  addRegions(logits: Float32Array, values: readonly number[], labels: LabelMap): void {
    const voxels = labels.length;
    for (let n = 0; n < voxels; n += 1) {
      const label = labels[n] ?? 0;
      let deciding = Number.NEGATIVE_INFINITY;
      for (let r = 0; r < values.length; r += 1) {
        const logit = logits[r * voxels + n] ?? 0;
        // Several regions may have one value; where none is present, the likeliest could have been.
        if (label === 0 || values[r] === label) deciding = Math.max(deciding, logit);
      }
      const sure = Math.abs(deciding);
      const doubt = sure > FAR_BELOW ? 0 : Math.exp(-sure);
      const probability = 1 / (1 + doubt);
      this.#add(label, probability, Math.log1p(doubt) + sure * doubt * probability);
    }
  }

  /** Of every label that occurs, by value. */
  statistics(): LabelStatistics[] {
    return Array.from(this.#voxels, (voxels, value) => ({
      value,
      voxels,
      probability: this.#probability[value] ?? 0,
      entropy: this.#entropy[value] ?? 0,
    })).filter(({ voxels }) => voxels > 0);
  }

  #add(label: number, probability: number, entropy: number): void {
    this.#voxels[label] = (this.#voxels[label] ?? 0) + 1;
    this.#probability[label] = (this.#probability[label] ?? 0) + probability;
    this.#entropy[label] = (this.#entropy[label] ?? 0) + entropy;
  }
}
