import { readdir, readFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { z } from 'zod';
import { channelBlock } from '../gpu-runner/inference/channel-block.ts';
import { sessionOptions } from '../gpu-runner/inference/session-options.ts';
import { buildNetwork, IMAGE_INPUT } from '../gpu-runner/network/build.ts';
import { nodeWork } from './support/node-work.ts';
import { round } from './support/statistics.ts';
import { THREADS, WINDOW, type WindowCase, withWindow } from './support/window.ts';

const FEATURE_SIZES = [24, 48] as const;
/** The first run makes what later ones keep. */
const RUNS = { warm: 1, counted: 3 };

const shapesSchema = z.array(z.record(z.string(), z.array(z.number())));
const eventSchema = z.object({
  cat: z.string(),
  name: z.string(),
  dur: z.number(),
  args: z.object({
    op_name: z.string().optional(),
    input_type_shape: shapesSchema.optional(),
    output_type_shape: shapesSchema.optional(),
  }),
});

/** What the nodes of one kind take of a window. */
export interface NodeCost {
  readonly featureSize: number;
  readonly op: string;
  readonly nodes: number;
  readonly milliseconds: number;
  readonly share: number;
  /** Of what it computes, where that is a product; null for all else. */
  readonly gflops: number | null;
  /** Of its inputs and outputs, each counted once. */
  readonly gigabytesPerSecond: number;
  readonly within: true;
}

/** Where the time of a window goes, by kind of node, as onnxruntime's own profiler counts it. No bound: it is to look at. */
export async function profile(): Promise<NodeCost[]> {
  const found: NodeCost[] = [];
  for (const featureSize of FEATURE_SIZES) found.push(...(await withWindow(featureSize, costs)));
  return found;
}

async function costs(one: WindowCase): Promise<NodeCost[]> {
  const events = z.array(eventSchema.catch({ cat: 'other', name: '', dur: 0, args: {} })).parse(await profiled(one));
  const kernels = events.filter(({ cat, name }) => cat === 'Node' && name.endsWith('_kernel_time'));
  // Runs follow one another, and each has every node once.
  const counted = kernels.slice((kernels.length / (RUNS.warm + RUNS.counted)) * RUNS.warm);
  const total = counted.reduce((sum, { dur }) => sum + dur, 0);
  const byOp = Map.groupBy(counted, ({ args }) => args.op_name ?? 'unknown');
  const made = [...byOp].map(([op, its]): NodeCost => {
    const microseconds = its.reduce((sum, { dur }) => sum + dur, 0);
    const works = its.map(({ args }) => nodeWork(op, shapes(args.input_type_shape), shapes(args.output_type_shape)));
    const operations = works.reduce((sum, work) => sum + work.operations, 0);
    const bytes = works.reduce((sum, work) => sum + work.bytes, 0);
    return {
      featureSize: one.spec.architecture.feature_size,
      op,
      nodes: its.length / RUNS.counted,
      milliseconds: round(microseconds / RUNS.counted / 1e3),
      share: round(microseconds / total),
      gflops: operations === 0 ? null : round(operations / microseconds / 1e3),
      gigabytesPerSecond: round(bytes / microseconds / 1e3),
      within: true,
    };
  });
  return made.toSorted((a, b) => b.milliseconds - a.milliseconds);
}

async function profiled({ folder, spec, feeds, image }: WindowCase): Promise<unknown> {
  const { architecture, weightsPath, window, kind } = spec;
  const model = buildNetwork(architecture, window, kind, basename(weightsPath), await channelBlock());
  const session = await InferenceSession.create(model.bytes, {
    ...sessionOptions('cpu', THREADS, folder),
    enableProfiling: true,
    profileFilePrefix: join(folder, 'profile'),
  });
  const inputs = Object.fromEntries(
    [...feeds].map(([name, { shape, data }]) => [name, new Tensor('float32', data, shape)]),
  );
  inputs[IMAGE_INPUT] = new Tensor('float32', image, [1, architecture.in_channels, ...WINDOW]);
  for (let run = 0; run < RUNS.warm + RUNS.counted; run++) await session.run(inputs);
  session.endProfiling();
  await session.release();
  const file = (await readdir(folder)).find((name) => name.startsWith('profile'));
  return JSON.parse(await readFile(join(folder, file ?? 'profile'), 'utf8'));
}

function shapes(values: z.infer<typeof shapesSchema> | undefined): number[][] {
  return (values ?? []).flatMap((value) => Object.values(value));
}
