import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import { encodeNifti, gzipNifti } from '../../gpu-runner/volume/nifti-write.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import { describeShared, sharedPath } from '../support/shared.ts';
import { type Browser, hasBrowser, startBrowser } from './support/browser.ts';
import { type Drawn, drawingOn, PLANES, type Row, SIDE_PIXELS } from './support/drawn.ts';
import { fileOf, type Oriented, offsetOf, TURNS, type Turn, thinned, turned } from './support/oriented.ts';

const ROWS: readonly Row[] = [
  { value: 1, colour: [255, 0, 0] },
  { value: 2, colour: [0, 255, 0] },
  { value: 3, colour: [0, 0, 255] },
];
/** Real scans. One is drawn in every orientation, the others in some of each order of axes. */
const TURNED: readonly (readonly [name: string, turns: readonly Turn[]])[] = [
  ['FLAIR', TURNS],
  ['chris_t1', TURNS.filter((_, n) => n % 11 === 3)],
  ['MNI152_2009_template', TURNS.filter((_, n) => n % 11 === 6)],
  ['shear', TURNS.filter((_, n) => n % 11 === 9)],
];
/** Three odd numbers, so that no two axes are taken for each other and a voxel is in the middle. */
const SMALL: Vec3 = [35, 41, 27];

/** What the console draws over real scans, against the mask at the places that the affine gives its voxels. */
describeShared('overlay', () => {
  describe.skipIf(!hasBrowser)('in the browser', () => {
    let browser: Browser;
    let draw: Awaited<ReturnType<typeof drawingOn>>;

    beforeAll(async () => {
      browser = await startBrowser();
      draw = await drawingOn(await browser.empty({ width: SIDE_PIXELS, height: SIDE_PIXELS }));
    });
    afterAll(async () => {
      await browser?.close();
    });

    test('a whole oblique scan with the lesions that were drawn on it', async () => {
      const file = readFileSync(sharedPath('data', 'volumes', 'FLAIR.nii.gz'));
      const lesion = readFileSync(sharedPath('data', 'volumes', 'lesion.nii.gz'));
      // A voxel has three pixels, so that one at an edge may be drawn between two colours.
      expectCovered((await readNifti(lesion)).volume, await draw(file, lesion, ROWS), { edges: false });
    });

    test('a whole sheared scan', async () => {
      const file = readFileSync(sharedPath('data', 'volumes', 'shear.nii.gz'));
      const { volume, header } = await readNifti(file);
      const mask = { ...volume, data: maskOf(volume.data) };
      const labels = await gzipNifti(encodeNifti({ header, datatype: 'uint8', data: mask.data }));
      expectCovered(mask, await draw(file, labels, ROWS), { edges: false });
    });

    test.each(TURNED)('%s with its axes in other orders and directions', async (name, turns) => {
      const { volume } = await readNifti(readFileSync(sharedPath('data', 'volumes', `${name}.nii.gz`)));
      const mask = { ...volume, data: maskOf(volume.data) };
      const [smallImage, smallMask] = [thinned(volume, SMALL, 2), thinned(mask, SMALL, 2)];
      for (const turn of turns) {
        const [image, labels] = [turned(smallImage, turn), turned(smallMask, turn)];
        expectCovered(labels, await draw(await fileOf(image, 'float32'), await fileOf(labels, 'uint8'), ROWS));
      }
    });
  });
});

/** By brightness: dark, middle and bright tissue, without symmetry. */
function maskOf(values: ArrayLike<number>): Uint8Array {
  const sorted = Float32Array.from(
    { length: Math.floor(values.length / 97) },
    (_, n) => values[97 * n] ?? 0,
  ).toSorted();
  const at = (share: number) => sorted[Math.floor(share * (sorted.length - 1))] ?? 0;
  const [low, middle, high] = [at(0.7), at(0.8), at(0.93)];
  return Uint8Array.from(values, (value) => (value > high ? 3 : value > middle ? 2 : value > low ? 1 : 0));
}

/**
 * Every voxel of the three slices through the crosshair has the colour of its label where it is drawn, and no other. Left is
 * on the left, in front of it and above it is up, and of the sagittal slice the front is on the right.
 */
function expectCovered(mask: Oriented, { mm, planes }: Drawn, { edges = true } = {}): void {
  const axes = axesOf(mask.affine);
  const middle = voxelAt(mask.affine, mm);
  for (const index of middle) expect(Math.abs(index - Math.round(index))).toBeLessThan(0.02);
  const centre = middle.map(Math.round);
  let labelled = 0;
  for (const [plane, across, up] of [
    [PLANES[0], 0, 1],
    [PLANES[1], 0, 2],
    [PLANES[2], 1, 2],
  ] as const) {
    const pixels = planes.get(plane) ?? new Uint8Array();
    const [horizontal, vertical] = [axisIn(mask, axes, across), axisIn(mask, axes, up)];
    const scale = Math.min(SIDE_PIXELS / horizontal.mm, SIDE_PIXELS / vertical.mm);
    const pixelOf = (at: number, { mm: length, count }: { mm: number; count: number }) =>
      Math.floor(SIDE_PIXELS / 2 + scale * length * ((at + 0.5) / count - 0.5));
    const wrong: string[] = [];
    for (let a = 0; a < horizontal.count; a++) {
      for (let b = 0; b < vertical.count; b++) {
        const index = [...centre];
        index[horizontal.axis] = horizontal.backwards ? horizontal.count - 1 - a : a;
        index[vertical.axis] = vertical.backwards ? vertical.count - 1 - b : b;
        const expected = mask.data[offsetOf(mask.shape, index)] ?? 0;
        if (!edges && isAtEdge(mask, index)) continue;
        if (isUnderLetter(a, b, horizontal.count, vertical.count)) continue;
        const found = labelIn(pixels, pixelOf(a, horizontal), pixelOf(b, vertical));
        if (found === null) continue;
        if (expected !== 0) labelled += 1;
        if (found !== expected) wrong.push(`${plane} ${index.join()}: ${expected}, drawn ${found}`);
      }
    }
    // Some say it as well as all.
    expect(wrong.slice(0, 5)).toEqual([]);
  }
  expect(labelled).toBeGreaterThan(30);
}

/** Whether the name of a side may be written there: in the middle of each. */
function isUnderLetter(a: number, b: number, across: number, up: number): boolean {
  return (isMiddle(a, across) && isOuter(b, up)) || (isOuter(a, across) && isMiddle(b, up));
}

function isMiddle(at: number, count: number): boolean {
  return Math.abs(at - (count - 1) / 2) <= count / 12;
}

function isOuter(at: number, count: number): boolean {
  return Math.min(at, count - 1 - at) <= count / 12;
}

/** Whether one of the six voxels beside has another label. */
function isAtEdge({ shape, data }: Oriented, index: readonly number[]): boolean {
  const here = data[offsetOf(shape, index)];
  return [0, 1, 2].some((axis) =>
    [-1, 1].some((step) => {
      const beside = index.map((at, n) => (n === axis ? at + step : at));
      const inside = (beside[axis] ?? 0) >= 0 && (beside[axis] ?? 0) < (shape[axis] ?? 0);
      return inside && data[offsetOf(shape, beside)] !== here;
    }),
  );
}

/** Which array axis lies along each of R, A and S, and whether it runs against it. */
function axesOf(affine: Float64Array): { axis: number; backwards: boolean }[] {
  const free = [0, 1, 2];
  return [0, 1, 2].map((row) => {
    const at = (column: number) => affine[4 * row + column] ?? 0;
    const axis = free.toSorted((p, q) => Math.abs(at(q)) - Math.abs(at(p)))[0] ?? 0;
    free.splice(free.indexOf(axis), 1);
    return { axis, backwards: at(axis) < 0 };
  });
}

function axisIn({ shape, affine }: Oriented, axes: ReturnType<typeof axesOf>, row: 0 | 1 | 2) {
  const { axis = 0, backwards = false } = axes[row] ?? {};
  const count = shape[axis] ?? 0;
  const size = Math.hypot(...[0, 4, 8].map((from) => affine[from + axis] ?? 0));
  return { axis, backwards, count, mm: count * size };
}

/** The voxel, in fractions, at a place in millimetres: Cramer's rule. */
function voxelAt(affine: Float64Array, mm: readonly number[]): number[] {
  const column = (c: number) => [affine[c] ?? 0, affine[4 + c] ?? 0, affine[8 + c] ?? 0];
  const from = column(3).map((value, n) => (mm[n] ?? 0) - value);
  const columns = [column(0), column(1), column(2)];
  const whole = determinant(columns);
  return [0, 1, 2].map((n) => determinant(columns.map((one, c) => (c === n ? from : one))) / whole);
}

function determinant([a = [], b = [], c = []]: readonly (readonly number[])[]): number {
  const [a0 = 0, a1 = 0, a2 = 0] = a;
  const [b0 = 0, b1 = 0, b2 = 0] = b;
  const [c0 = 0, c1 = 0, c2 = 0] = c;
  return a0 * (b1 * c2 - b2 * c1) - b0 * (a1 * c2 - a2 * c1) + c0 * (a1 * b2 - a2 * b1);
}

/** The label whose colour a pixel has, 0 for grey, null under the crosshair, whose blue is not full and green more than red. */
function labelIn(pixels: Uint8Array, x: number, y: number): number | null {
  const from = 4 * (y * SIDE_PIXELS + x);
  const [r = 0, g = 0, b = 0] = pixels.subarray(from, from + 3);
  if (Math.max(r, g, b) - Math.min(r, g, b) < 60) return 0;
  if (g > 120 && b > 120) return null;
  const found = ROWS.find(({ colour }) => colour.every((value, n) => Math.abs(value - ([r, g, b][n] ?? 0)) < 100));
  return found?.value ?? -1;
}
