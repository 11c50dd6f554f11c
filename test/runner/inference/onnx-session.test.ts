import { expect, test } from 'vitest';
import { findProvider } from '../../../gpu-runner/inference/onnx-session.ts';

test('a provider that onnxruntime does not have is refused, where it would let the next one run in its name', async () => {
  const { found, refused } = await findProvider(['cuda', 'cpu'], ['cpu']);
  expect(found?.provider).toBe('cpu');
  expect(refused).toEqual(['cuda: this build of onnxruntime does not have it']);
  await found?.probe();
  expect(await findProvider(['cuda'], ['cpu'])).toMatchObject({ found: null });
});
