import { type Random, randomStream } from './random.ts';
import { mapPoint, type Point } from './shapes.ts';

export const GRIDS = ['2mm', '1.5mm', 'aniso', 'oblique', 'any'] as const;
export type GridName = (typeof GRIDS)[number];

/** A rigid placing of the head in the scanner: world = rotation * head + shift. `rotation` is row-major 3x3. */
export interface Pose {
  readonly rotation: readonly number[];
  readonly shift: Point;
}

/** Voxels and their place: `affine` is row-major 4x4, voxel index to RAS+ millimetres. */
export interface Grid {
  readonly shape: Point;
  readonly affine: Float64Array;
}

const FIELD_OF_VIEW_MM: Point = [168, 212, 178];
const CENTRE_OF_HEAD: Point = [0, 2, 6];
/** For each voxel axis its world axis (0, 1, 2) and whether it runs against it; written as the codes of its ends. */
const ORIENTATIONS = ['RAS', 'LPS', 'LAS', 'PIR', 'ASL', 'RSA', 'SPL'] as const;

const DEGREE = Math.PI / 180;

function rotation(rx: number, ry: number, rz: number): number[] {
  const [cx, sx, cy, sy, cz, sz] = [Math.cos(rx), Math.sin(rx), Math.cos(ry), Math.sin(ry), Math.cos(rz), Math.sin(rz)];
  return [
    cy * cz,
    sx * sy * cz - cx * sz,
    cx * sy * cz + sx * sz,
    cy * sz,
    sx * sy * sz + cx * cz,
    cx * sy * sz - sx * cz,
    -sy,
    sx * cy,
    cx * cy,
  ];
}

function rotate(r: readonly number[], [x, y, z]: Point): Point {
  const row = (n: number): number => (r[n] ?? 0) * x + (r[n + 1] ?? 0) * y + (r[n + 2] ?? 0) * z;
  return [row(0), row(3), row(6)];
}

/** How the head of a seed lies in the scanner, whatever grid it is scanned on. */
export function drawPose(seed: number): Pose {
  const random = randomStream(seed, 'pose');
  const tilt = (): number => random.uniform(-10, 10) * DEGREE;
  return {
    rotation: rotation(tilt(), tilt() * 0.6, tilt()),
    shift: [random.uniform(-5, 5), random.uniform(-15, 15), random.uniform(-15, 15)],
  };
}

/** Head to scanner. */
export function toWorld(pose: Pose, p: Point): Point {
  const [x, y, z] = rotate(pose.rotation, p);
  return [x + pose.shift[0], y + pose.shift[1], z + pose.shift[2]];
}

function spacingOf(name: Exclude<GridName, 'any'>, random: Random): Point {
  if (name === '2mm') return [2, 2, 2];
  if (name === '1.5mm') return [1.5, 1.5, 1.5];
  if (name === 'aniso') return [1.2, 1.2, 3];
  return random.choose<Point>([
    [2, 2, 2],
    [1.5, 1.5, 2.5],
    [1.2, 1.2, 3],
  ]);
}

/** The grid a seed's head is scanned on: axis order and direction are drawn, `oblique` turns the whole block too. */
export function drawGrid(seed: number, name: GridName, pose: Pose): Grid {
  const random = randomStream(seed, `grid ${name}`);
  const kind = name === 'any' ? random.choose(['2mm', '1.5mm', 'aniso', 'oblique'] as const) : name;
  const spacing = spacingOf(kind, random);
  const codes = kind === '2mm' ? random.choose(['RAS', 'RAS', 'LAS', 'LPS'] as const) : random.choose(ORIENTATIONS);
  const turn = (): number => random.uniform(6, 18) * (random.uniform(0, 1) < 0.5 ? -1 : 1) * DEGREE;
  const block = kind === 'oblique' ? rotation(turn(), turn(), turn()) : rotation(0, 0, 0);

  const worldAxes = mapPoint([0, 1, 2], (axis) => 'RLAPSI'.indexOf(codes.charAt(axis)) >> 1);
  const shape = mapPoint(spacing, (step, axis) => {
    const side = FIELD_OF_VIEW_MM[worldAxes[axis] ?? 0] ?? 0;
    return 4 * Math.ceil(side / step / 4);
  });
  const columns = [0, 1, 2].map((axis) => {
    const step = (spacing[axis] ?? 0) * ('LPI'.includes(codes.charAt(axis)) ? -1 : 1);
    return rotate(
      block,
      mapPoint([0, 1, 2], (world) => (world === worldAxes[axis] ? step : 0)),
    );
  });
  const centre = mapPoint(toWorld(pose, CENTRE_OF_HEAD), (c) => c + random.uniform(-3, 3));
  const affine = new Float64Array(16);
  affine[15] = 1;
  for (let row = 0; row < 3; row++) {
    let corner = centre[row] ?? 0;
    for (const [axis, column] of columns.entries()) {
      const step = column[row] ?? 0;
      affine[row * 4 + axis] = step;
      corner -= (step * ((shape[axis] ?? 1) - 1)) / 2;
    }
    affine[row * 4 + 3] = corner;
  }
  return { shape, affine };
}

/** Row-major 3x4 from voxel index straight to the head's own frame. */
export function voxelToHead(grid: Grid, pose: Pose): Float64Array {
  const out = new Float64Array(12);
  for (let row = 0; row < 3; row++) {
    for (let column = 0; column < 4; column++) {
      let sum = 0;
      for (let k = 0; k < 3; k++) {
        const world = (grid.affine[k * 4 + column] ?? 0) - (column === 3 ? (pose.shift[k] ?? 0) : 0);
        sum += (pose.rotation[k * 3 + row] ?? 0) * world;
      }
      out[row * 4 + column] = sum;
    }
  }
  return out;
}
