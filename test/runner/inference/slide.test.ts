import { expect, test } from 'vitest';
import { Slide } from '../../../gpu-runner/inference/slide.ts';
import { extractWindow, windowPlan } from '../../../gpu-runner/inference/windows.ts';
import type { Vec3 } from '../../../gpu-runner/volume/volume.ts';
import { blendedLogits, valuesOf } from '../../support/decided.ts';

const SHAPE: Vec3 = [12, 4, 4];
const WINDOW: Vec3 = [4, 4, 4];
const VOXELS = 12 * 4 * 4;
const WINDOW_VOXELS = 4 ** 3;

/** Two channels to two classes: sums and differences, and where in the window a voxel lies. */
function predict(image: Float32Array): Float32Array {
  return image.map((value, at) => {
    const other = image[(at + WINDOW_VOXELS) % image.length] ?? 0;
    return at < WINDOW_VOXELS ? value + other + at : value - other - at;
  });
}

/** The volume taken window by window, and which of them the network saw. */
async function slid(volume: Float32Array) {
  const options = { shape: SHAPE, window: WINDOW, classes: 2, overlap: 0.5, blend: 'gaussian' } as const;
  const slide = new Slide({ ...options, volume, channels: 2, decision: { kind: 'logits' } });
  const ran: boolean[] = [];
  let calls = 0;
  while (slide.done < slide.total) {
    const before = calls;
    ran.push(
      await slide.step(async (image) => {
        calls += 1;
        return predict(image);
      }),
    );
    expect(ran.at(-1)).toBe(calls > before);
  }
  const plan = windowPlan(SHAPE, WINDOW, 0.5);
  const window = new Float32Array(2 * WINDOW_VOXELS);
  const expected = await blendedLogits({ ...options, plan, roi: WINDOW }, (start) => {
    extractWindow(volume, 2, SHAPE, plan, WINDOW, start, window);
    return predict(window);
  });
  return { ran, logits: valuesOf(slide.finish()), expected };
}

function volumeOf(value: (at: number) => number): Float32Array {
  return Float32Array.from({ length: 2 * VOXELS }, (_, at) => value(at));
}

test('a window of one value alone goes through the network once in a row, and its answer is what it would be', async () => {
  const { ran, logits, expected } = await slid(volumeOf(() => 0));
  expect(ran).toEqual([true, false, false, false, false]);
  expect(logits).toEqual(expected);
});

test('each channel may have a value of its own', async () => {
  const { ran, logits, expected } = await slid(volumeOf((at) => (at < VOXELS ? 3 : -2)));
  expect(ran).toEqual([true, false, false, false, false]);
  expect(logits).toEqual(expected);
});

test.each([
  ['one voxel is another in either channel', (at: number) => (at === 5 * 16 || at === VOXELS + 9 * 16 ? 1 : 0)],
  ['the value changes on the way', (at: number) => (Math.floor((at % VOXELS) / 16) < 8 ? 1 : 2)],
  ['it has another value in one channel', (at: number) => (at >= VOXELS + 8 * 16 ? 1 : 0)],
  ['all values differ', (at: number) => at],
])('where %s nothing of another window is taken', async (_, value) => {
  const { ran, logits, expected } = await slid(volumeOf(value));
  expect(ran[0]).toBe(true);
  expect(logits).toEqual(expected);
});
