import { describe, expect, it } from 'vitest';
import { checkWindowMemory, windowBytes } from '../../../gpu-runner/inference/window-memory.ts';
import { tinyArchitecture } from '../../support/safetensors-file.ts';

const f12 = tinyArchitecture();
const f24 = tinyArchitecture({ feature_size: 24 });
const fault = { code: 'invalid_adapter', path: 'manifest.selftest.roi_size' } as const;

describe('the memory of a window', () => {
  it.each([
    ['feature size 12, 192^3', f12, [192, 192, 192], 2.76e9],
    ['feature size 24, 96^3', f24, [96, 96, 96], 1.0e9],
    ['feature size 48, 96^3', tinyArchitecture({ feature_size: 48 }), [96, 96, 96], 1.76e9],
  ] as const)('is what was measured: %s', (_, architecture, window, measured) => {
    const bytes = windowBytes(architecture, window);
    expect(bytes).toBeGreaterThan(0.9 * measured);
    expect(bytes).toBeLessThan(1.1 * measured);
  });

  it('grows with the window and the features', () => {
    const small = windowBytes(f12, [64, 64, 64]);
    expect(windowBytes(f12, [64, 64, 96])).toBeGreaterThan(small);
    expect(windowBytes(f24, [64, 64, 64])).toBeGreaterThan(small);
  });

  it('lets a window in that just fits, and refuses one that does not, with what it takes', () => {
    const run = { architecture: f12, window: [64, 64, 96] } as const;
    const bytes = windowBytes(f12, run.window);
    expect(() => checkWindowMemory(run, bytes, fault)).not.toThrow();
    const message = expect.stringMatching(/^A window of 64 x 64 x 96 voxels takes about \d+ MB .* has \d+ MB/);
    const problems = [{ code: 'manifest', path: fault.path, message }];
    expect(() => checkWindowMemory(run, bytes - 1, fault)).toThrow(
      expect.objectContaining({ code: 'invalid_adapter', message, problems }),
    );
  });
});
