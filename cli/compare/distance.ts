import { type Vec3, voxelCount } from '../../gpu-runner/volume/volume.ts';

/**
 * Exact squared Euclidean distance, in mm^2, from every voxel to the nearest one that is set: one pass of lower envelopes of
 * parabolas an axis (Felzenszwalb and Huttenlocher, Distance Transforms of Sampled Functions, 2012). Infinite where none is.
 *
 * @param set `[i, j, k]` in C order
 * @param spacing of the voxels in mm
 */
export function squaredDistances(set: Uint8Array, shape: Vec3, spacing: Vec3): Float64Array {
  const field = Float64Array.from(set, (one) => (one === 0 ? Number.POSITIVE_INFINITY : 0));
  const [, nj, nk] = shape;
  const strides: Vec3 = [nj * nk, nk, 1];
  const envelope = new Envelope(Math.max(...shape));
  const voxels = voxelCount(shape);
  for (const axis of [2, 1, 0] as const) {
    const [side, stride] = [shape[axis], strides[axis]];
    for (let block = 0; block < voxels; block += side * stride) {
      for (let n = 0; n < stride; n++) envelope.pass(field, block + n, side, stride, spacing[axis]);
    }
  }
  return field;
}

/** The lower envelope of one line's parabolas. */
class Envelope {
  readonly #values: Float64Array;
  /** Where the parabolas of the envelope have their lowest points, as indices, and from where on each is the lowest, in mm. */
  readonly #centres: Int32Array;
  readonly #from: Float64Array;

  constructor(longest: number) {
    this.#values = new Float64Array(longest);
    this.#centres = new Int32Array(longest);
    this.#from = new Float64Array(longest);
  }

  pass(field: Float64Array, start: number, side: number, stride: number, spacing: number): void {
    const [values, centres, from] = [this.#values, this.#centres, this.#from];
    let count = 0;
    for (let n = 0; n < side; n++) {
      const value = field[start + n * stride] ?? Number.POSITIVE_INFINITY;
      values[n] = value;
      if (value === Number.POSITIVE_INFINITY) continue;
      let begin = Number.NEGATIVE_INFINITY;
      while (count > 0) {
        const last = centres[count - 1] ?? 0;
        begin = crossing(last * spacing, values[last] ?? 0, n * spacing, value);
        if (begin > (from[count - 1] ?? 0)) break;
        count--;
        begin = Number.NEGATIVE_INFINITY;
      }
      centres[count] = n;
      from[count++] = begin;
    }
    if (count === 0) return;
    for (let n = 0, lowest = 0; n < side; n++) {
      const place = n * spacing;
      while (lowest + 1 < count && (from[lowest + 1] ?? 0) <= place) lowest++;
      const centre = centres[lowest] ?? 0;
      field[start + n * stride] = (place - centre * spacing) ** 2 + (values[centre] ?? 0);
    }
  }
}

/** Where the parabola with its lowest point (q, height b) gets lower than the one at (p, a); p < q. */
function crossing(p: number, a: number, q: number, b: number): number {
  return (b + q * q - (a + p * p)) / (2 * (q - p));
}
