import { describe, expect, it } from 'vitest';
import {
  checkRun,
  inputVoxelsMax,
  isAllowedWindow,
  type PlannedRun,
  runBytes,
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
  it('counts volume and decision in two processes, the blended planes, the input and the answer', () => {
    expect(runBytes(run())).toBe(4 * (1000 * 2 + 1000 * (2 + 1) + 1000 * 4));
    expect(runBytes(run({ output: 'probabilities' }))).toBe(4 * (1000 * 7 + 1000 * (2 + 6) + 1000 * 4));
    const long = run({ shape: [1000, 1, 1] });
    expect(runBytes(long)).toBe(runBytes(run()) - 4 * 936 * 4);
  });

  it('refuses what does not fit into the memory, and lets in what just does', () => {
    expect(refusal(run(), runBytes(run()))).toBe('');
    expect(refusal(run(), runBytes(run()) - 1)).toMatch(/^invalid_volume: .*needs 1 MB/);
  });

  it('refuses a thin volume that would be padded into no end of windows', () => {
    const thin = run({ shape: [2 ** 24, 1, 1], gridVoxels: 2 ** 24, inputVoxels: 2 ** 24 });
    expect(refusal(thin, 16 * GIB)).toMatch(/^invalid_volume: .* takes 524287 of the adapter's windows/);
  });

  it('refuses probabilities that no message to the session can hold, whatever the memory', () => {
    const many = run({ shape: [512, 512, 512], gridVoxels: 2 ** 27, classes: 5, output: 'probabilities' });
    expect(refusal(many, 1024 * GIB)).toMatch(/^invalid_volume: .*5 classes/);
    expect(refusal({ ...many, classes: 4 }, 1024 * GIB)).toBe('');
    expect(refusal({ ...many, output: 'labels' }, 1024 * GIB)).toBe('');
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
