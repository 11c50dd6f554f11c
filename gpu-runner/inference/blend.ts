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

/** A plane `[classes, nj, nk]` of the first axis that no further window reaches; overwritten after the call. */
export type OnPlane = (index: number, logits: Float32Array) => void;

export interface BlenderOptions {
  readonly classes: number;
  /** The volume's before padding: padding never takes memory here. */
  readonly shape: Vec3;
  readonly plan: WindowPlan;
  readonly roi: Vec3;
  readonly blend: Blend;
}

/**
 * Sums weighted logits of overlapping windows and divides by the weights: MONAI's blending, cropped to the volume.
 * Windows come in the order of their plan, the first axis outermost, so a plane of that axis is final once a window
 * starts beyond it. As many planes are held as a window has, and each is handed on as soon as it is final.
 */
export class Blender {
  readonly #options: BlenderOptions;
  readonly #onPlane: OnPlane;
  readonly #weights: Float32Array;
  /** Planes held: plane `a` lies in the place `a % depth`, as sums `[classes, nj, nk]` and weights `[nj, nk]`. */
  readonly #depth: number;
  readonly #sum: Float32Array;
  readonly #count: Float32Array;
  /** The first plane that is not final. */
  #next = 0;

  constructor(options: BlenderOptions, onPlane: OnPlane) {
    const { classes, shape, roi, blend } = options;
    this.#options = options;
    this.#onPlane = onPlane;
    this.#weights = importanceMap(roi, blend);
    this.#depth = Math.min(roi[0], shape[0]);
    const voxels = this.#depth * shape[1] * shape[2];
    this.#sum = new Float32Array(classes * voxels);
    this.#count = new Float32Array(voxels);
  }

  /** Adds one window's logits `[classes, ...roi]`. */
  add(logits: Float32Array, start: Vec3): void {
    const { shape, plan, roi } = this.#options;
    const { padBefore } = plan;
    const i = windowSpan(start[0], roi[0], padBefore[0], shape[0]);
    const j = windowSpan(start[1], roi[1], padBefore[1], shape[1]);
    const k = windowSpan(start[2], roi[2], padBefore[2], shape[2]);
    this.#handOn(i.from);
    for (let a = i.from; a < i.to; a += 1) {
      for (let b = j.from; b < j.to; b += 1) {
        const windowAt = ((a - i.from + i.offset) * roi[1] + b - j.from + j.offset) * roi[2] + k.offset;
        this.#addLine(logits, windowAt, a % this.#depth, b * shape[2] + k.from, k.to - k.from);
      }
    }
  }

  /** Hands on what is left, after the last window. */
  finish(): void {
    this.#handOn(this.#options.shape[0]);
  }

  /** Adds `length` voxels from `windowAt` on to those from `planeAt` on of the plane in a place. */
  #addLine(logits: Float32Array, windowAt: number, place: number, planeAt: number, length: number): void {
    const weights = this.#weights;
    const sum = this.#sum;
    const count = this.#count;
    const { classes, shape } = this.#options;
    const plane = shape[1] * shape[2];
    const countAt = place * plane + planeAt;
    for (let n = 0; n < length; n += 1) {
      count[countAt + n] = (count[countAt + n] ?? 0) + (weights[windowAt + n] ?? 0);
    }
    for (let c = 0; c < classes; c += 1) {
      const to = (place * classes + c) * plane + planeAt;
      const from = c * weights.length + windowAt;
      for (let n = 0; n < length; n += 1) {
        const weighted = Math.fround((weights[windowAt + n] ?? 0) * (logits[from + n] ?? 0));
        sum[to + n] = (sum[to + n] ?? 0) + weighted;
      }
    }
  }

  /** Divides the planes before `end`, hands them on and frees their places. */
  #handOn(end: number): void {
    const { classes, shape } = this.#options;
    const plane = shape[1] * shape[2];
    for (; this.#next < end; this.#next += 1) {
      const place = this.#next % this.#depth;
      const sum = this.#sum.subarray(place * classes * plane, (place + 1) * classes * plane);
      const count = this.#count.subarray(place * plane, (place + 1) * plane);
      for (let from = 0; from < sum.length; from += plane) {
        for (let n = 0; n < plane; n += 1) sum[from + n] = (sum[from + n] ?? 0) / (count[n] ?? 1);
      }
      this.#onPlane(this.#next, sum);
      sum.fill(0);
      count.fill(0);
    }
  }
}
