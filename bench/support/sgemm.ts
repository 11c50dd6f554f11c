import { InferenceSession, Tensor } from 'onnxruntime-node';
import { sessionOptions } from '../../gpu-runner/inference/session-options.ts';
import { Graph } from '../../gpu-runner/network/graph.ts';
import { runPython } from './python.ts';
import { THREADS } from './window.ts';

const SIDE = 2048;
const RUNS = 12;

/** The machine's best rate at a product of two 2048^2 matrices, in GFLOP/s, by numpy and by onnxruntime. */
export async function sgemmRates(): Promise<{ numpy: number; onnxruntime: number }> {
  return { numpy: Number(await runPython('sgemm.py', [SIDE, THREADS])), onnxruntime: await onnxruntimeRate() };
}

async function onnxruntimeRate(): Promise<number> {
  const graph = new Graph();
  const values = new Float32Array(SIDE ** 2).map((_, at) => Math.sin(at));
  const b = graph.constant('b', [SIDE, SIDE], () => values);
  const model = graph.encode('product', graph.matMul(graph.input('a', [SIDE, SIDE]), b), 'c', [SIDE, SIDE]);
  const session = await InferenceSession.create(model, sessionOptions('cpu', THREADS, '.'));
  let best = Number.POSITIVE_INFINITY;
  for (let run = 0; run < RUNS; run++) {
    const began = performance.now();
    await session.run({ a: new Tensor('float32', values, [SIDE, SIDE]) });
    best = Math.min(best, performance.now() - began);
  }
  await session.release();
  return (2 * SIDE ** 3) / best / 1e6;
}
