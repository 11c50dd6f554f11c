import { InferenceSession, Tensor } from 'onnxruntime-node';
import { BLOCKED_DOMAIN } from '../network/blocked-layout.ts';
import { encodeModel } from '../network/onnx-proto.ts';
import { sessionOptions } from './session-options.ts';

/** What onnxruntime's direct convolutions come with: 16 for AVX-512, 8 for AVX2. */
const BLOCKS = [8, 16];
const CHANNELS = 64;

let found: Promise<number> | undefined;

/**
 * How many channels stand together in the layout of this processor's direct convolutions; 0 where onnxruntime has none,
 * or another than the network knows. It says so nowhere, so a volume of two voxels is put into that layout.
 */
export async function channelBlock(): Promise<number> {
  found ??= measured().catch(() => 0);
  return await found;
}

async function measured(): Promise<number> {
  const dims = [1, CHANNELS, 1, 2];
  const bytes = encodeModel({
    name: 'layout',
    nodes: [{ op: 'ReorderInput', domain: BLOCKED_DOMAIN, inputs: ['in'], output: 'out', attributes: {} }],
    constants: [],
    inputs: [{ name: 'in', dims }],
    output: { name: 'out', dims },
  });
  const session = await InferenceSession.create(bytes, sessionOptions('cpu', 1, '.'));
  const numbers = Float32Array.from({ length: 2 * CHANNELS }, (_, at) => at);
  const { out } = await session.run({ in: new Tensor('float32', numbers, dims) });
  await session.release();
  // The second voxel of the first channel comes behind the first voxel of all channels of a block.
  const block = out?.data instanceof Float32Array ? out.data.indexOf(1) : 0;
  return BLOCKS.includes(block) ? block : 0;
}
