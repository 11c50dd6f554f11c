import type { Vec3 } from '../volume/volume.ts';
import { type WindowPlan, windowSpan } from './windows.ts';

export type Blend = 'constant' | 'gaussian';

const SIGMA_SCALE = 0.125;
const WEIGHT_MIN = 1e-3;

function gaussianLine(side: number): Float32Array {
  const sigma = SIGMA_SCALE * side;
  return Float32Array.from({ length: side }, (_, index) => {
    const x = index - (side - 1) / 2;
    return Math.exp((x * x) / (-2 * sigma * sigma));
  });
}

/** MONAI's `compute_importance_map` (1.1 on): the weight `[...roi]` of each voxel of a window where windows overlap. */
export function importanceMap(roi: Vec3, blend: Blend): Float32Array {
  const [ri, rj, rk] = roi;
  const weights = new Float32Array(ri * rj * rk).fill(1);
  if (blend === 'constant') return weights;
  const [lineI, lineJ, lineK] = [gaussianLine(ri), gaussianLine(rj), gaussianLine(rk)];
  let smallest = Number.POSITIVE_INFINITY;
  let index = 0;
  for (const a of lineI) {
    for (const b of lineJ) {
      const ab = Math.fround(a * b);
      for (const c of lineK) {
        const weight = Math.fround(ab * c);
        smallest = Math.min(smallest, weight);
        weights[index++] = weight;
      }
    }
  }
  const floor = Math.max(smallest, WEIGHT_MIN);
  return weights.map((weight) => Math.max(weight, floor));
}

/** Sums weighted logits of overlapping windows and divides by the weights: MONAI's blending, cropped to the volume. */
export class Blender {
  readonly #classes: number;
  readonly #shape: Vec3;
  readonly #plan: WindowPlan;
  readonly #roi: Vec3;
  readonly #weights: Float32Array;
  readonly #sum: Float32Array;
  readonly #count: Float32Array;

  /** `shape` is the volume's before padding: padding never takes memory here. */
  constructor(classes: number, shape: Vec3, plan: WindowPlan, roi: Vec3, blend: Blend) {
    const voxels = shape[0] * shape[1] * shape[2];
    this.#classes = classes;
    this.#shape = shape;
    this.#plan = plan;
    this.#roi = roi;
    this.#weights = importanceMap(roi, blend);
    this.#sum = new Float32Array(classes * voxels);
    this.#count = new Float32Array(voxels);
  }

  /** Adds one window's logits `[classes, ...roi]`. */
  add(logits: Float32Array, start: Vec3): void {
    // Locals: the loops below are the hottest outside the network.
    const weights = this.#weights;
    const sum = this.#sum;
    const count = this.#count;
    this.#eachLine(start, (volumeAt, windowAt, length) => {
      for (let n = 0; n < length; n += 1) {
        count[volumeAt + n] = (count[volumeAt + n] ?? 0) + (weights[windowAt + n] ?? 0);
      }
      for (let c = 0; c < this.#classes; c += 1) {
        const to = c * count.length + volumeAt;
        const from = c * weights.length + windowAt;
        for (let n = 0; n < length; n += 1) {
          const weighted = Math.fround((weights[windowAt + n] ?? 0) * (logits[from + n] ?? 0));
          sum[to + n] = (sum[to + n] ?? 0) + weighted;
        }
      }
    });
  }

  /** The blended logits `[classes, ...shape]`, made in place: call it once, after the last window. */
  finish(): Float32Array {
    const sum = this.#sum;
    const count = this.#count;
    for (let from = 0; from < sum.length; from += count.length) {
      for (let n = 0; n < count.length; n += 1) sum[from + n] = (sum[from + n] ?? 0) / (count[n] ?? 1);
    }
    return sum;
  }

  #eachLine(start: Vec3, line: (volumeAt: number, windowAt: number, length: number) => void): void {
    const [ni, nj, nk] = this.#shape;
    const [ri, rj, rk] = this.#roi;
    const { padBefore } = this.#plan;
    const i = windowSpan(start[0], ri, padBefore[0], ni);
    const j = windowSpan(start[1], rj, padBefore[1], nj);
    const k = windowSpan(start[2], rk, padBefore[2], nk);
    for (let a = i.from; a < i.to; a += 1) {
      for (let b = j.from; b < j.to; b += 1) {
        const windowAt = ((a - i.from + i.offset) * rj + b - j.from + j.offset) * rk + k.offset;
        line((a * nj + b) * nk + k.from, windowAt, k.to - k.from);
      }
    }
  }
}
