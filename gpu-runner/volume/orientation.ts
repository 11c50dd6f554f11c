import { at, linear, multiply, nearestOrthogonal } from './affine.ts';
import { turnedView, type View } from './view.ts';
import type { Affine, Vec3 } from './volume.ts';

/** The world axis that a voxel axis follows most closely, and whether it runs along it (1) or against it (-1). */
interface Direction {
  readonly world: number;
  readonly sign: 1 | -1;
}

type Directions = readonly [Direction, Direction, Direction];

/** A grid whose axes were permuted and turned around. */
export interface Oriented {
  readonly shape: Vec3;
  readonly affine: Affine;
  /** An array on the grid before, seen along the axes after. */
  turn(view: View): View;
}

const LETTERS = ['LR', 'PA', 'IS'];

/**
 * Directions of an affine's voxel axes: nibabel's `io_orientation`. The axis that is clearest chooses first, and no world axis is
 * taken twice.
 */
function directionsOf(affine: Affine): Directions {
  const r = nearestOrthogonal(affine);
  const strength = (axis: number) => Math.max(...[0, 1, 2].map((world) => at(r, world, axis) ** 2));
  const free = new Set([0, 1, 2]);
  const found: Direction[] = [];
  for (const axis of [0, 1, 2].toSorted((a, b) => strength(b) - strength(a))) {
    const [world = 0] = [...free].toSorted((a, b) => Math.abs(at(r, b, axis)) - Math.abs(at(r, a, axis)));
    free.delete(world);
    found[axis] = { world, sign: at(r, world, axis) < 0 ? -1 : 1 };
  }
  return triple((axis) => found[axis]);
}

/** Directions of three letters such as `RAS`, the sides towards which the axes grow. */
function directionsOfLetters(letters: string): Directions {
  return triple((axis) => {
    const letter = letters[axis] ?? '';
    const world = LETTERS.findIndex((pair) => pair.includes(letter));
    return { world, sign: LETTERS[world]?.indexOf(letter) === 0 ? -1 : 1 };
  });
}

/** The grid with its axes permuted and turned around towards `letters`; every voxel keeps its place in the world (MONAI's `Orientation`). */
export function orient(shape: Vec3, affine: Affine, letters: string): Oriented {
  const from = directionsOf(affine);
  const to = directionsOfLetters(letters);
  const axisOf = (n: 0 | 1 | 2) => from.findIndex(({ world }) => world === to[n].world);
  const axes: Vec3 = [axisOf(0), axisOf(1), axisOf(2)];
  const isTurned = (n: 0 | 1 | 2) => from[axes[n]]?.sign !== to[n].sign;
  const turned = [isTurned(0), isTurned(1), isTurned(2)] as const;
  const last = (n: 0 | 1 | 2) => (shape[axes[n]] ?? 0) - 1;

  const origin = [0, 0, 0];
  for (const n of [0, 1, 2] as const) if (turned[n]) origin[axes[n]] = last(n);
  const toInput = linear((row, n) => (axes[n] === row ? (turned[n] ? -1 : 1) : 0), origin);
  return {
    shape: [last(0) + 1, last(1) + 1, last(2) + 1],
    affine: multiply(affine, toInput),
    turn: (view) => turnedView(view, axes, turned),
  };
}

function triple(direction: (axis: number) => Direction | undefined): Directions {
  const of = (axis: number) => direction(axis) ?? { world: axis, sign: 1 };
  return [of(0), of(1), of(2)];
}
