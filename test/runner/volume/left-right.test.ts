import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { encodeLabelMap } from '../../../gpu-runner/volume/answer.ts';
import { newHeader } from '../../../gpu-runner/volume/nifti-header.ts';
import { readNifti } from '../../../gpu-runner/volume/nifti-read.ts';
import { encodeNifti } from '../../../gpu-runner/volume/nifti-write.ts';
import { prepare } from '../../../gpu-runner/volume/prepare.ts';

type Vec3 = readonly [number, number, number];

/** A bright ball on the right and a dimmer one on the left, in RAS+ millimetres, at places that no two axes share. */
const RIGHT: Vec3 = [11, 4, -7];
const LEFT: Vec3 = [-12, -3, 5];
const CENTRE: Vec3 = [1, -2, 3];
const WIDTH_MM = 5;
const SHAPE: Vec3 = [20, 22, 24];
const SIZES: Vec3 = [2.4, 2.2, 2];
const HALF_VOXEL_MM = 1.1;

const UPRIGHT = [1, 0, 0, 0, 1, 0, 0, 0, 1];
/** Rotations by 12, -9 and 17 degrees about z, y and x, one after the other. */
const TILTED = [
  [Math.cos(0.21), -Math.sin(0.21), 0, Math.sin(0.21), Math.cos(0.21), 0, 0, 0, 1],
  [Math.cos(-0.16), 0, Math.sin(-0.16), 0, 1, 0, -Math.sin(-0.16), 0, Math.cos(-0.16)],
  [1, 0, 0, 0, Math.cos(0.3), -Math.sin(0.3), 0, Math.sin(0.3), Math.cos(0.3)],
].reduce(product, UPRIGHT);

/** All 48 ways to lie along the world's axes: which axis each voxel axis follows, and which way. Half are left-handed. */
const AXES = [
  [0, 1, 2],
  [0, 2, 1],
  [1, 0, 2],
  [1, 2, 0],
  [2, 0, 1],
  [2, 1, 0],
].flatMap((worlds) =>
  Array.from({ length: 8 }, (_, bits) => ({ worlds, signs: [4, 2, 1].map((bit) => (bits & bit ? -1 : 1)) })),
);

function product(a: readonly number[], b: readonly number[]): number[] {
  return Array.from({ length: 9 }, (_, n) => {
    const [r, c] = [Math.floor(n / 3), n % 3];
    return [0, 1, 2].reduce((sum, m) => sum + (a[r * 3 + m] ?? 0) * (b[m * 3 + c] ?? 0), 0);
  });
}

function affineFor(rotation: readonly number[], { worlds, signs }: (typeof AXES)[number]): Float64Array {
  const axes = Array.from({ length: 9 }, (_, n) => (worlds[n % 3] === Math.floor(n / 3) ? (signs[n % 3] ?? 1) : 0));
  const part = product(rotation, axes).map((value, n) => value * (SIZES[n % 3] ?? 1));
  return Float64Array.from({ length: 16 }, (_, n) => {
    const [r, c] = [Math.floor(n / 4), n % 4];
    if (r === 3) return c === 3 ? 1 : 0;
    if (c < 3) return part[r * 3 + c] ?? 0;
    return [0, 1, 2].reduce(
      (t, axis) => t - ((part[r * 3 + axis] ?? 0) * ((SHAPE[axis] ?? 1) - 1)) / 2,
      CENTRE[r] ?? 0,
    );
  });
}

/** Calls `visit` with each voxel's index in C order and its place in the world. */
function forEachVoxel(
  shape: readonly number[],
  affine: ArrayLike<number>,
  visit: (n: number, world: Vec3) => void,
): void {
  const [ni = 0, nj = 0, nk = 0] = shape;
  const a = Array.from(affine);
  const [xi = 0, xj = 0, xk = 0, x = 0, yi = 0, yj = 0, yk = 0, y = 0, zi = 0, zj = 0, zk = 0, z = 0] = a;
  let n = 0;
  for (let i = 0; i < ni; i++) {
    for (let j = 0; j < nj; j++) {
      for (let k = 0; k < nk; k++) {
        visit(n++, [xi * i + xj * j + xk * k + x, yi * i + yj * j + yk * k + y, zi * i + zj * j + zk * k + z]);
      }
    }
  }
}

function distance(p: Vec3, q: Vec3): number {
  return Math.hypot(p[0] - q[0], p[1] - q[1], p[2] - q[2]);
}

function brightness(world: Vec3): number {
  return (
    100 * Math.exp(-0.5 * (distance(world, RIGHT) / WIDTH_MM) ** 2) +
    60 * Math.exp(-0.5 * (distance(world, LEFT) / WIDTH_MM) ** 2)
  );
}

/** The middle of all voxels of a label. */
function middle(labels: ArrayLike<number>, value: number, affine: ArrayLike<number>): Vec3 {
  const sum: [number, number, number, number] = [0, 0, 0, 0];
  forEachVoxel(SHAPE, affine, (n, world) => {
    if (labels[n] !== value) return;
    sum[0] += world[0];
    sum[1] += world[1];
    sum[2] += world[2];
    sum[3]++;
  });
  return [sum[0] / sum[3], sum[1] / sum[3], sum[2] / sum[3]];
}

function withoutSform(nii: Uint8Array): Uint8Array {
  const copy = Uint8Array.from(nii);
  copy[254] = 0;
  return copy;
}

const CASES = [
  { name: 'upright', rotation: UPRIGHT },
  { name: 'tilted', rotation: TILTED },
].flatMap(({ name, rotation }) =>
  AXES.flatMap((axes) =>
    ['sform', 'qform'].map((form) => ({
      name: `${name}, axes ${axes.worlds.map((world, n) => `${axes.signs[n] === 1 ? '+' : '-'}${'xyz'[world]}`).join(' ')}, by its ${form}`,
      affine: affineFor(rotation, axes),
      form,
    })),
  ),
);

describe('right stays right', () => {
  it.each(CASES)('$name', async ({ affine, form }) => {
    const data = new Float32Array(SHAPE[0] * SHAPE[1] * SHAPE[2]);
    forEachVoxel(SHAPE, affine, (n, world) => {
      data[n] = brightness(world);
    });
    const nii = encodeNifti({ header: newHeader(SHAPE, affine), datatype: 'float32', data });
    const { volume, header } = await readNifti(gzipSync(form === 'sform' ? nii : withoutSform(nii), { level: 1 }));
    expect(Math.max(...volume.affine.map((value, n) => Math.abs(value - (affine[n] ?? 0))))).toBeLessThan(1e-4);

    const prepared = prepare([volume], { orientation: 'RAS', spacing: [1.8, 1.8, 1.8], intensity: { kind: 'none' } });
    const labels = new Uint8Array(prepared.data.length);
    let worst = 0;
    let [firstI, lastI] = [0, 0];
    forEachVoxel(prepared.shape, prepared.affine, (n, world) => {
      worst = Math.max(worst, Math.abs((prepared.data[n] ?? 0) - brightness(world)));
      const i = Math.floor(n / (prepared.shape[1] * prepared.shape[2]));
      if (distance(world, RIGHT) < 7) labels[n] = 1;
      if (distance(world, LEFT) < 7) labels[n] = 2;
      if (distance(world, RIGHT) < 2) lastI = i;
      if (distance(world, LEFT) < 2) firstI = i;
    });
    // Trilinear interpolation flattens a ball's peak; two swapped balls would be 40 apart, a ball elsewhere 60.
    expect(worst).toBeLessThan(12);
    expect(firstI).toBeLessThan(lastI);

    const answer = await readNifti(await encodeLabelMap(header, prepared.labelsBack(labels), {}));
    expect(distance(middle(answer.volume.data, 1, affine), RIGHT)).toBeLessThan(HALF_VOXEL_MM);
    expect(distance(middle(answer.volume.data, 2, affine), LEFT)).toBeLessThan(HALF_VOXEL_MM);
    expect(answer.volume.affine).toEqual(volume.affine);

    const two = new Float32Array(2 * labels.length).map((_, n) =>
      labels[n % labels.length] === (n < labels.length ? 1 : 2) ? 1 : 0,
    );
    const probabilities = prepared.probabilitiesBack(two, 2);
    for (const [channel, place] of [RIGHT, LEFT].entries()) {
      const inside = Uint8Array.from(data, (_, n) => ((probabilities[n * 2 + channel] ?? 0) > 0.5 ? 1 : 0));
      expect(distance(middle(inside, 1, affine), place)).toBeLessThan(HALF_VOXEL_MM);
    }
  });
});

describe('the network sees the orientation it asks for', () => {
  it.each(['RAS', 'LAS', 'LPS', 'SAR', 'PIR', 'ILA'])('%s', (letters) => {
    const affine = affineFor(TILTED, { worlds: [2, 0, 1], signs: [-1, 1, -1] });
    const data = new Float32Array(SHAPE[0] * SHAPE[1] * SHAPE[2]);
    const prepared = prepare([{ shape: SHAPE, affine, data }], {
      orientation: letters,
      spacing: null,
      intensity: { kind: 'none' },
    });
    for (const [axis, letter] of letters.split('').entries()) {
      const column = [0, 1, 2].map((row) => prepared.affine[row * 4 + axis] ?? 0);
      const world = 'RAS'.includes(letter) ? 'RAS'.indexOf(letter) : 'LPI'.indexOf(letter);
      const strongest = column.map(Math.abs).indexOf(Math.max(...column.map(Math.abs)));
      expect(strongest).toBe(world);
      expect(Math.sign(column[world] ?? 0)).toBe('RAS'.includes(letter) ? 1 : -1);
    }
  });
});
