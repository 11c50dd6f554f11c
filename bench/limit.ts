import { openSession } from '../gpu-runner/inference/onnx-session.ts';
import { TEST_PROVIDER } from '../test/support/provider.ts';
import { windowOperations } from './support/operations.ts';
import { sgemmRates } from './support/sgemm.ts';
import { percentile, round } from './support/statistics.ts';
import { THREADS, WINDOW, withWindow } from './support/window.ts';

const RUNS = { warm: 1, counted: 6 };
/** Of the machine's rate at matrix products, by feature size. */
const BOUNDS = [
  [24, 0.55],
  [48, 0.78],
] as const;

export interface Limit {
  readonly featureSize: number;
  /** Operations of a window as MONAI defines the network, in units of 1e9. */
  readonly gigaOperations: number;
  readonly windowMs: number;
  readonly gflops: number;
  /** Of products of 2048^2 matrices, in the same run. */
  readonly sgemm: { readonly numpy: number; readonly onnxruntime: number };
  readonly share: number;
  readonly wanted: number;
  readonly within: boolean;
}

/** What share of the machine's matrix products a window reaches, on two threads of its CPU. */
export async function limit(): Promise<Limit[]> {
  const found: Limit[] = [];
  for (const [featureSize, wanted] of BOUNDS) {
    const before = await sgemmRates();
    const { milliseconds, operations } = await windowTime(featureSize);
    const after = await sgemmRates();
    const sgemm = {
      numpy: round(Math.max(before.numpy, after.numpy)),
      onnxruntime: round(Math.max(before.onnxruntime, after.onnxruntime)),
    };
    const gflops = round(operations / milliseconds / 1e6);
    const share = round(gflops / Math.max(sgemm.numpy, sgemm.onnxruntime));
    const gigaOperations = round(operations / 1e9);
    const measured = { featureSize, gigaOperations, windowMs: round(milliseconds), gflops, sgemm, share, wanted };
    found.push({ ...measured, within: share >= wanted });
  }
  return found;
}

async function windowTime(featureSize: number): Promise<{ milliseconds: number; operations: number }> {
  return await withWindow(featureSize, async ({ spec, feeds, image }) => {
    const session = await openSession(spec, TEST_PROVIDER, THREADS);
    const predict = session.bind(feeds);
    const times: number[] = [];
    for (let run = -RUNS.warm; run < RUNS.counted; run++) {
      const began = performance.now();
      await predict(image);
      if (run >= 0) times.push(performance.now() - began);
    }
    await session.release();
    return { milliseconds: percentile(times, 0.5), operations: windowOperations(spec.architecture, WINDOW) };
  });
}
