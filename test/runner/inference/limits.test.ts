import { describe, expect, it } from 'vitest';
import {
  checkRun,
  inputVoxelsMax,
  isAllowedWindow,
  type PlannedRun,
  runBytes,
  workBytes,
} from '../../../gpu-runner/inference/limits.ts';
import { ServiceError } from '../../../schemas/errors.ts';

const GIB = 2 ** 30;

function run(overrides: Partial<PlannedRun> = {}): PlannedRun {
  return {
    inputVoxels: 1000,
    gridVoxels: 1000,
    channels: 1,
    classes: 3,
    output: 'labels',
    shape: [10, 10, 10],
    task: { inference: { roi_size: [64, 64, 64], overlap: 0.5, blend: 'gaussian' } },
    ...overrides,
  };
}

function refusal(planned: PlannedRun, memoryBytes: number): string {
  try {
    checkRun(planned, memoryBytes);
    return '';
  } catch (error) {
    return error instanceof ServiceError ? `${error.code}: ${error.message}` : 'no service error';
  }
}

describe('what a run may cost', () => {
  it('counts the blended planes and the logits of one window, labels by the byte and probabilities by the class', () => {
    const [volume, planes] = [4 * 1000, 4 * 4 * 1000];
    const logits = 4 * 3 * 64 ** 3;
    expect(workBytes(run())).toBe(volume + planes + logits + 2 * 2000);
    expect(workBytes(run({ classes: 300 }))).toBe(volume + 4 * 301 * 1000 + 100 * logits + 2 * 2 * 2000);
    expect(workBytes(run({ output: 'probabilities' }))).toBe(volume + planes + logits + 2 * 12 * 2000);
    const long = run({ shape: [1000, 1, 1] });
    expect(workBytes(long)).toBe(workBytes(run()) - 4 * 936 * 4);
    const task = { ...run().task, regions: [{ name: 'far', value: 256 }] };
    expect(workBytes(run({ task }))).toBe(workBytes(run()) + 2 * 2000);
  });

  it('counts the decoded input where that is the most, and the volume and the labels again in the session’s process', () => {
    const fine = run({ inputVoxels: 1_000_000, channels: 3 });
    expect(workBytes(fine)).toBe(4 * 3 * 1_001_000);
    expect(runBytes(fine)).toBe(workBytes(fine) + 2 * 4 * 3 * 1000 + 1000);
  });

  it('refuses what does not fit into the memory, and lets in what just does', () => {
    expect(refusal(run(), runBytes(run()))).toBe('');
    expect(refusal(run(), runBytes(run()) - 1)).toMatch(/^invalid_volume: .*needs 4 MB/);
  });

  it('refuses a thin volume that would be padded into no end of windows', () => {
    const thin = run({ shape: [2 ** 24, 1, 1], gridVoxels: 2 ** 24, inputVoxels: 2 ** 24 });
    expect(refusal(thin, 16 * GIB)).toMatch(/^invalid_volume: .* takes 524287 of the adapter's windows/);
  });

  it('refuses probabilities that gzip would cut off at 4 GiB of the input’s grid, whatever the memory', () => {
    const many = run({ inputVoxels: 512 * 512 * 300, classes: 14, output: 'probabilities' });
    expect(refusal(many, 1024 * GIB)).toMatch(/^invalid_volume: .*14 classes/);
    expect(refusal({ ...many, classes: 13 }, 1024 * GIB)).toBe('');
    expect(refusal({ ...many, output: 'labels' }, 1024 * GIB)).toBe('');
  });

  it('lets the network have a grid of any size that the memory holds', () => {
    const grid = run({ gridVoxels: 2 ** 28, classes: 13, output: 'probabilities' });
    expect(refusal(grid, 1024 * GIB)).toBe('');
  });

  it('bounds the input before it is decoded', () => {
    expect(inputVoxelsMax(800, 2)).toBe(100);
    expect(inputVoxelsMax(1024 * GIB, 1)).toBe(2 ** 28);
  });

  it('lets any window run unless the operator lists some', () => {
    expect(isAllowedWindow([32, 32, 64], null)).toBe(true);
    expect(
      isAllowedWindow(
        [32, 32, 64],
        [
          [64, 64, 64],
          [32, 32, 64],
        ],
      ),
    ).toBe(true);
    expect(isAllowedWindow([64, 32, 32], [[32, 32, 64]])).toBe(false);
  });
});
