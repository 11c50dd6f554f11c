import { at, linear } from './affine.ts';
import type { Affine, Vec3 } from './volume.ts';

/**
 * Where the voxels of a new grid lie in an old one, by the very arithmetic of MONAI and PyTorch (`to_norm_affine`, `affine_grid` and
 * `grid_sample` with `align_corners` false): over coordinates from -1 to 1 and back. Its rounding decides which of two voxels as near
 * a label comes from, and whether 0 next to the head stays 0, so it is repeated operation by operation.
 */
export class SampleGrid {
  /** Coordinates of the last line's voxels along the old grid's three axes, in voxels, clamped to the border voxels. */
  readonly x: Float64Array;
  readonly y: Float64Array;
  readonly z: Float64Array;
  readonly #axes: readonly AxisTerms[];

  /** @param mapping voxel of the new grid to voxel of the old one */
  constructor(mapping: Affine, oldShape: Vec3, newShape: Vec3) {
    const theta = normalised(mapping, oldShape, newShape);
    const bases = newShape.map(centres);
    const coordinates = () => new Float64Array(newShape[2]);
    [this.x, this.y, this.z] = [coordinates(), coordinates(), coordinates()];
    this.#axes = [this.x, this.y, this.z].map((out, r) => {
      const terms = (c: number) => (bases[c] ?? coordinates()).map((base) => base * at(theta, r, c));
      return { out, i: terms(0), j: terms(1), k: terms(2), constant: at(theta, r, 3), size: oldShape[r] ?? 1 };
    });
  }

  /** Finds the coordinates of the voxels (i, j, 0), (i, j, 1) … of the new grid. */
  line(i: number, j: number): void {
    for (const { out, i: ofI, j: ofJ, k: ofK, constant, size } of this.#axes) {
      const [termI, termJ] = [ofI[i] ?? 0, ofJ[j] ?? 0];
      for (let k = 0; k < out.length; k++) {
        const normal = (ofK[k] ?? 0) + termJ + termI + constant;
        const voxel = ((normal + 1) * size - 1) / 2;
        out[k] = voxel <= 0 ? 0 : voxel >= size - 1 ? size - 1 : voxel;
      }
    }
  }
}

/** The summands of one coordinate, for each i, j and k of the new grid. */
interface AxisTerms {
  readonly out: Float64Array;
  readonly i: Float64Array;
  readonly j: Float64Array;
  readonly k: Float64Array;
  readonly constant: number;
  readonly size: number;
}

/** Voxel centres of an axis that reaches from -1 to 1: `torch.linspace(-1, 1, n) * (n - 1) / n`. */
function centres(n: number): Float64Array {
  const step = 2 / (n - 1);
  const line = (v: number) => (v < Math.floor(n / 2) ? fused(step, v, -1) : fused(-step, n - 1 - v, 1));
  return Float64Array.from({ length: n }, (_, v) => (n === 1 ? 0 : (line(v) * (n - 1)) / n));
}

/** `a * b + c` rounded once, as processors with a fused instruction do it (Dekker's product and Knuth's sum). */
function fused(a: number, b: number, c: number): number {
  const product = a * b;
  const [aHigh, bHigh] = [upperHalf(a), upperHalf(b)];
  const [aLow, bLow] = [a - aHigh, b - bHigh];
  const lost = aLow * bLow - (product - aHigh * bHigh - aLow * bHigh - aHigh * bLow);
  const sum = product + c;
  const rest = sum - product;
  return sum + (product - (sum - rest) + (c - rest) + lost);
}

/** The upper 26 bits of a number's digits. */
function upperHalf(x: number): number {
  const scaled = x * (2 ** 27 + 1);
  return scaled - (scaled - x);
}

/** `mapping` between coordinates from -1 to 1: one matrix to leave the old grid's voxels, the inverse of one to enter the new grid's. */
function normalised(mapping: Affine, oldShape: Vec3, newShape: Vec3): Affine {
  const scales = newShape.map((n) => 1 / (2 / n));
  const shifts = newShape.map((n, axis) => (1 - 1 / n) * (scales[axis] ?? 0));
  const row = (r: 0 | 1 | 2) => [0, 1, 2].map((c) => (2 / oldShape[r]) * at(mapping, r, c));
  const translation = (r: 0 | 1 | 2) => {
    const [x = 0, y = 0, z = 0] = row(r).map((value, c) => value * (shifts[c] ?? 0));
    return x + y + z + ((2 / oldShape[r]) * at(mapping, r, 3) + (1 / oldShape[r] - 1));
  };
  const rows = [row(0), row(1), row(2)];
  return linear((r, c) => (rows[r]?.[c] ?? 0) * (scales[c] ?? 0), [translation(0), translation(1), translation(2)]);
}
