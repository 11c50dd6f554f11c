import type { Vec3 } from '../volume/volume.ts';

/** Where the sliding windows of one volume lie. `starts` count from the corner of the padded volume. */
export interface WindowPlan {
  readonly padBefore: Vec3;
  readonly padded: Vec3;
  readonly stride: Vec3;
  readonly starts: readonly Vec3[];
}

interface AxisPlan {
  readonly padBefore: number;
  readonly padded: number;
  readonly stride: number;
  readonly starts: readonly number[];
}

/** MONAI's `get_scan_interval`. The float error of `roi * (1 - overlap)` is MONAI's own: 20 * (1 - 0.8) truncates to 3. */
function strideOf(size: number, roi: number, overlap: number): number {
  return size <= roi ? roi : Math.max(Math.trunc(roi * (1 - overlap)), 1);
}

/** Windows along one axis as MONAI's `dense_patch_slices` places them: the last one is moved back inside. */
function axisPlan(size: number, roi: number, overlap: number): AxisPlan {
  const padded = Math.max(size, roi);
  const stride = strideOf(size, roi, overlap);
  const starts = [0];
  for (let start = 0; start + roi < padded; ) {
    start += stride;
    starts.push(Math.min(start, padded - roi));
  }
  return { padBefore: Math.floor((padded - size) / 2), padded, stride, starts };
}

function axisPlans(shape: Vec3, roi: Vec3, overlap: number): readonly [AxisPlan, AxisPlan, AxisPlan] {
  return [
    axisPlan(shape[0], roi[0], overlap),
    axisPlan(shape[1], roi[1], overlap),
    axisPlan(shape[2], roi[2], overlap),
  ];
}

/**
 * The windows of MONAI's `sliding_window_inference` over a volume of `shape` voxels, first axis outermost.
 * A volume smaller than the window is padded on both sides, the odd voxel after it.
 */
export function windowPlan(shape: Vec3, roi: Vec3, overlap: number): WindowPlan {
  const [a, b, c] = axisPlans(shape, roi, overlap);
  const starts: Vec3[] = [];
  for (const i of a.starts) for (const j of b.starts) for (const k of c.starts) starts.push([i, j, k]);
  return {
    padBefore: [a.padBefore, b.padBefore, c.padBefore],
    padded: [a.padded, b.padded, c.padded],
    stride: [a.stride, b.stride, c.stride],
    starts,
  };
}

/** The length of `windowPlan(…).starts` without making the list: what a limit is checked against. */
export function windowCount(shape: Vec3, roi: Vec3, overlap: number): number {
  return ([0, 1, 2] as const)
    .map((axis) => 1 + Math.ceil(Math.max(shape[axis] - roi[axis], 0) / strideOf(shape[axis], roi[axis], overlap)))
    .reduce((count, starts) => count * starts, 1);
}

/** The part of a window that lies on the unpadded volume, along one axis: volume voxels `from` to `to`, `offset` into the window. */
export interface Span {
  readonly from: number;
  readonly to: number;
  readonly offset: number;
}

/** Where a window starting at `start` (padded coordinates) meets a volume of `size` voxels. */
export function windowSpan(start: number, roi: number, padBefore: number, size: number): Span {
  const first = start - padBefore;
  const from = Math.max(first, 0);
  return { from, to: Math.min(first + roi, size), offset: from - first };
}

/**
 * Copies one window of a volume `[channels, ...shape]` into `into` (`[channels, ...roi]`), zeros where the padding lies.
 */
export function extractWindow(
  volume: Float32Array,
  channels: number,
  shape: Vec3,
  plan: WindowPlan,
  roi: Vec3,
  start: Vec3,
  into: Float32Array,
): void {
  const [, nj, nk] = shape;
  const [, rj, rk] = roi;
  const i = windowSpan(start[0], roi[0], plan.padBefore[0], shape[0]);
  const j = windowSpan(start[1], rj, plan.padBefore[1], nj);
  const k = windowSpan(start[2], rk, plan.padBefore[2], nk);
  const voxels = shape[0] * nj * nk;
  const windowVoxels = roi[0] * rj * rk;
  into.fill(0);
  for (let c = 0; c < channels; c += 1) {
    for (let a = i.from; a < i.to; a += 1) {
      for (let b = j.from; b < j.to; b += 1) {
        const source = c * voxels + (a * nj + b) * nk;
        const target = c * windowVoxels + ((a - i.from + i.offset) * rj + b - j.from + j.offset) * rk + k.offset;
        into.set(volume.subarray(source + k.from, source + k.to), target);
      }
    }
  }
}
