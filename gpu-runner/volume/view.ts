import type { Numbers, Vec3 } from './volume.ts';

/** An array seen along axes of its own: voxel (i, j, k) lies at `first + i * strides[0] + j * strides[1] + k * strides[2]`. */
export interface View {
  readonly data: Numbers;
  readonly shape: Vec3;
  readonly strides: Vec3;
  readonly first: number;
}

/** A volume in C order; with `channels`, one channel of `[i, j, k, channel]`. */
export function viewOf(data: Numbers, shape: Vec3, channels = 1, channel = 0): View {
  return { data, shape, strides: [shape[1] * shape[2] * channels, shape[2] * channels, channels], first: channel };
}

/** The same voxels along other axes: axis n of the result is axis `axes[n]` of `view`, from its other end where `turned[n]`. */
export function turnedView(view: View, axes: Vec3, turned: readonly [boolean, boolean, boolean]): View {
  const side = (n: 0 | 1 | 2) => view.shape[axes[n]] ?? 0;
  const stride = (n: 0 | 1 | 2) => (view.strides[axes[n]] ?? 0) * (turned[n] ? -1 : 1);
  const skipped = (n: 0 | 1 | 2) => (turned[n] ? (side(n) - 1) * -stride(n) : 0);
  return {
    data: view.data,
    shape: [side(0), side(1), side(2)],
    strides: [stride(0), stride(1), stride(2)],
    first: view.first + skipped(0) + skipped(1) + skipped(2),
  };
}

/** Copies voxel by voxel between views of one shape. */
export function copyView(from: View, to: View): void {
  const [ni, nj, nk] = to.shape;
  for (let i = 0; i < ni; i++) {
    for (let j = 0; j < nj; j++) {
      let source = from.first + i * from.strides[0] + j * from.strides[1];
      let target = to.first + i * to.strides[0] + j * to.strides[1];
      for (let k = 0; k < nk; k++) {
        to.data[target] = from.data[source] ?? 0;
        source += from.strides[2];
        target += to.strides[2];
      }
    }
  }
}
