import { columnLengths, determinant } from '../../gpu-runner/volume/affine.ts';
import type { Vec3, Volume, Voxels } from '../../gpu-runner/volume/volume.ts';
import { CliError } from '../failure.ts';
import { hausdorff95 } from './surface.ts';

export interface LabelComparison {
  readonly value: number;
  readonly dice: number;
  /** In mm; null where one of the two has none of the label. */
  readonly hd95_mm: number | null;
  readonly volume_ml: { readonly a: number; readonly b: number };
  /** Of `b` against `a`. */
  readonly difference_ml: number;
  readonly voxels: { readonly a: number; readonly b: number };
}

/** Every label but 0 that two label maps on one grid have, by value. Throws `invalid_volume` where values are no labels. */
export function compareLabelMaps(a: Volume, b: Volume): LabelComparison[] {
  for (const [name, { data }] of Object.entries({ A: a, B: b })) {
    const wrong = data.find((value) => !Number.isInteger(value) || value < 0);
    if (wrong !== undefined) throw new CliError('invalid_volume', `${name} is no label map: it has the value ${wrong}`);
  }
  const boxes = boundsOfLabels([a.data, b.data], a.shape);
  return [...boxes.keys()]
    .toSorted((p, q) => p - q)
    .map((value) => compareLabel(a, b, value, boxes.get(value) ?? EMPTY));
}

interface Bounds {
  readonly low: number[];
  readonly high: number[];
}

const EMPTY: Bounds = { low: [0, 0, 0], high: [0, 0, 0] };

/** For each label the smallest box that holds it in every map: work then goes by the size of a label, not of the head. */
function boundsOfLabels(maps: readonly Voxels[], [ni, nj, nk]: Vec3): Map<number, Bounds> {
  const found = new Map<number, Bounds>();
  for (const data of maps) {
    for (let i = 0, n = 0; i < ni; i++) {
      for (let j = 0; j < nj; j++) {
        for (let k = 0; k < nk; k++, n++) {
          const value = data[n] ?? 0;
          if (value !== 0) widen(found, value, [i, j, k]);
        }
      }
    }
  }
  return found;
}

function widen(found: Map<number, Bounds>, value: number, place: Vec3): void {
  const bounds = found.get(value);
  if (bounds === undefined) {
    found.set(value, { low: [...place], high: [...place] });
    return;
  }
  for (const axis of [0, 1, 2] as const) {
    bounds.low[axis] = Math.min(bounds.low[axis] ?? 0, place[axis]);
    bounds.high[axis] = Math.max(bounds.high[axis] ?? 0, place[axis]);
  }
}

function compareLabel(a: Volume, b: Volume, value: number, bounds: Bounds): LabelComparison {
  const side = (axis: number) => (bounds.high[axis] ?? 0) - (bounds.low[axis] ?? 0) + 1;
  const shape: Vec3 = [side(0), side(1), side(2)];
  const [inA, inB] = [maskOf(a, value, bounds, shape), maskOf(b, value, bounds, shape)];
  const [voxelsA, voxelsB] = [countOf(inA), countOf(inB)];
  const both = countOf(inA.map((one, n) => one & (inB[n] ?? 0)));
  const voxelMl = Math.abs(determinant(a.affine)) / 1000;
  return {
    value,
    dice: (2 * both) / (voxelsA + voxelsB),
    hd95_mm: hausdorff95(inA, inB, { shape, spacing: columnLengths(a.affine) }),
    volume_ml: { a: voxelsA * voxelMl, b: voxelsB * voxelMl },
    difference_ml: (voxelsB - voxelsA) * voxelMl,
    voxels: { a: voxelsA, b: voxelsB },
  };
}

function maskOf({ data, shape: [, nj, nk] }: Volume, value: number, { low }: Bounds, shape: Vec3): Uint8Array {
  const [i0 = 0, j0 = 0, k0 = 0] = low;
  const mask = new Uint8Array(shape[0] * shape[1] * shape[2]);
  for (let i = 0, n = 0; i < shape[0]; i++) {
    for (let j = 0; j < shape[1]; j++) {
      const line = ((i0 + i) * nj + j0 + j) * nk + k0;
      for (let k = 0; k < shape[2]; k++) mask[n++] = data[line + k] === value ? 1 : 0;
    }
  }
  return mask;
}

function countOf(mask: Uint8Array): number {
  return mask.reduce((sum, one) => sum + one, 0);
}
