import { existsSync, readFileSync } from 'node:fs';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { expect, test } from 'vitest';
import { channelBlock } from '../../../gpu-runner/inference/channel-block.ts';
import { sessionOptions } from '../../../gpu-runner/inference/session-options.ts';
import { encodeModel } from '../../../gpu-runner/network/onnx-proto.ts';

const CPU = '/proc/cpuinfo';

function number(value: number): Tensor {
  return new Tensor('float32', Float32Array.of(value), [1]);
}

test.runIf(process.arch === 'x64' && existsSync(CPU))('a block is a vector of the processor', async () => {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync(CPU, 'utf8'))?.[1]?.split(' '));
  expect(await channelBlock()).toBe(flags.has('avx512f') ? 16 : 8);
});

test('denormals are zero in a process whose first session measured the block', async () => {
  await channelBlock();
  const inputs = ['a', 'b'].map((name) => ({ name, dims: [1] }));
  const model = encodeModel({
    name: 'product',
    nodes: [{ op: 'Mul', inputs: ['a', 'b'], output: 'out', attributes: {} }],
    constants: [],
    inputs,
    output: { name: 'out', dims: [1] },
  });
  const session = await InferenceSession.create(model, sessionOptions('cpu', 1, '.'));
  const { out } = await session.run({ a: number(1e-30), b: number(1e-10) });
  await session.release();
  expect(out?.data).toEqual(Float32Array.of(0));
});
