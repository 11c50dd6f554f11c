import { SampleGrid } from './sample-grid.ts';
import { roundHalfEven } from './spacing.ts';
import type { View } from './view.ts';
import type { Affine } from './volume.ts';

/**
 * Trilinear values at `mapping` (voxel of `to` to voxel of `from`), coordinates clamped to the border voxels, in float64: PyTorch's
 * `grid_sample` with `bilinear` and `border`, its weights and its order of summing.
 */
export function sampleLinear(from: View, mapping: Affine, to: View): void {
  const { data, first } = from;
  const [ni, nj, nk] = to.shape;
  const [si, sj, sk] = from.strides;
  const grid = new SampleGrid(mapping, from.shape, to.shape);
  for (let i = 0; i < ni; i++) {
    for (let j = 0; j < nj; j++) {
      grid.line(i, j);
      let target = to.first + i * to.strides[0] + j * to.strides[1];
      for (let k = 0; k < nk; k++) {
        const x = grid.x[k] ?? 0;
        const y = grid.y[k] ?? 0;
        const z = grid.z[k] ?? 0;
        const xi = Math.floor(x);
        const yi = Math.floor(y);
        const zi = Math.floor(z);
        // How near the upper neighbour is (f) and the lower one (g). Beyond the border there is none, and f is 0.
        const fx = x - xi;
        const fy = y - yi;
        const fz = z - zi;
        const gx = xi + 1 - x;
        const gy = yi + 1 - y;
        const gz = zi + 1 - z;
        const dx = fx > 0 ? si : 0;
        const dy = fy > 0 ? sj : 0;
        const dz = fz > 0 ? sk : 0;
        const n = first + xi * si + yi * sj + zi * sk;
        let value = (data[n] ?? 0) * (gz * gy * gx);
        value += (data[n + dz] ?? 0) * (fz * gy * gx);
        value += (data[n + dy] ?? 0) * (gz * fy * gx);
        value += (data[n + dy + dz] ?? 0) * (fz * fy * gx);
        value += (data[n + dx] ?? 0) * (gz * gy * fx);
        value += (data[n + dx + dz] ?? 0) * (fz * gy * fx);
        value += (data[n + dx + dy] ?? 0) * (gz * fy * fx);
        value += (data[n + dx + dy + dz] ?? 0) * (fz * fy * fx);
        to.data[target] = value;
        target += to.strides[2];
      }
    }
  }
}

/**
 * Values of the nearest voxel at `mapping` (voxel of `to` to voxel of `from`), coordinates clamped, from half way the even one:
 * PyTorch's `grid_sample` with `nearest` and `border`.
 */
export function sampleNearest(from: View, mapping: Affine, to: View): void {
  const { data, first } = from;
  const [ni, nj, nk] = to.shape;
  const [si, sj, sk] = from.strides;
  const grid = new SampleGrid(mapping, from.shape, to.shape);
  for (let i = 0; i < ni; i++) {
    for (let j = 0; j < nj; j++) {
      grid.line(i, j);
      let target = to.first + i * to.strides[0] + j * to.strides[1];
      for (let k = 0; k < nk; k++) {
        const x = roundHalfEven(grid.x[k] ?? 0);
        const y = roundHalfEven(grid.y[k] ?? 0);
        const z = roundHalfEven(grid.z[k] ?? 0);
        to.data[target] = data[first + x * si + y * sj + z * sk] ?? 0;
        target += to.strides[2];
      }
    }
  }
}
