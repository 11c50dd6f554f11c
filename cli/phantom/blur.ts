import type { Point } from './shapes.ts';

/** Blurs in place along every axis with the kernel [w, 1 - 2w, w] whose variance is `sigma`² voxels; edges repeat. */
export function blur(data: Float32Array, shape: Point, sigma: number): void {
  const w = (sigma * sigma) / 2;
  const [ni, nj, nk] = shape;
  for (const [count, stride, outer, outerStride, inner, innerStride] of [
    [nk, 1, ni, nj * nk, nj, nk],
    [nj, nk, ni, nj * nk, nk, 1],
    [ni, nj * nk, nj, nk, nk, 1],
  ] as const) {
    for (let a = 0; a < outer; a++) {
      for (let b = 0; b < inner; b++) blurLine(data, a * outerStride + b * innerStride, count, stride, w);
    }
  }
}

function blurLine(data: Float32Array, start: number, count: number, stride: number, w: number): void {
  let before = data[start] ?? 0;
  for (let n = 0, at = start; n < count; n++, at += stride) {
    const here = data[at] ?? 0;
    const after = n + 1 < count ? (data[at + stride] ?? 0) : here;
    data[at] = here + w * (before + after - 2 * here);
    before = here;
  }
}
