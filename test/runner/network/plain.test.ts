import { InferenceSession, Tensor } from 'onnxruntime-node';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { fusedParameters } from '../../../gpu-runner/adapter/fused.ts';
import { buildPlainNetwork } from '../../../gpu-runner/network/plain.ts';
import { selftestInput } from '../../../schemas/selftest.ts';
import { count, hashedBase, SMALL, SMALL_WINDOW, windowLogits } from '../../support/network.ts';

describe('a network that stands alone', () => {
  it('answers as the runner with the base and its own head, on a window of unequal sides', async () => {
    const base = hashedBase(SMALL);
    const window = [64, 32, 32] as const;
    const model = buildPlainNetwork(SMALL, window, fusedParameters(base, null), {});
    const session = await InferenceSession.create(model);
    const input = selftestInput(count(window));
    const image = new Tensor('float32', input, [1, 1, ...window]);
    const found = z.instanceof(Float32Array).parse((await session.run({ image }))['logits']?.data);
    await session.release();
    const expected = await windowLogits(SMALL, base.tensors, null, window, input);
    expect(found).toHaveLength(2 * count(window));
    const misses = found.map((value, at) => Math.abs(value - (expected[at] ?? Number.NaN)));
    expect(misses.every((miss) => miss < 1e-4)).toBe(true);
  });

  it('is refused where its weights are more than one file can hold', () => {
    const weights = new Map(fusedParameters(hashedBase(SMALL), null));
    // Two GiB that are never touched.
    weights.set('encoder10.layer.conv1.conv.weight', { shape: [2 ** 29], data: new Float32Array(2 ** 29) });
    expect(() => buildPlainNetwork(SMALL, SMALL_WINDOW, weights, {})).toThrow(
      expect.objectContaining({ code: 'too_large' }),
    );
  });

  it('is refused for a window that the network cannot halve', () => {
    const weights = fusedParameters(hashedBase(SMALL), null);
    expect(() => buildPlainNetwork(SMALL, [64, 64, 48], weights, {})).toThrow(/multiples of 32/);
  });
});
