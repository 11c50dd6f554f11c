import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { Blender } from '../../gpu-runner/inference/blend.ts';
import { decider } from '../../gpu-runner/inference/decision.ts';
import { workBytes } from '../../gpu-runner/inference/limits.ts';
import { type Task, VolumeWork } from '../../gpu-runner/inference/volume-work.ts';
import { extractWindow, windowPlan } from '../../gpu-runner/inference/windows.ts';
import { voxelCount } from '../../gpu-runner/volume/volume.ts';

/**
 * A program that takes one file from decoding to its label map, with a network that answers its window, and prints what
 * the work is said to hold and what it did: its own process, so that its peak is the work's.
 */
const CLASSES = 3;
const task: Task = {
  channels: ['T1'],
  preprocessing: { orientation: 'RAS', spacing: [1, 1, 1], intensity: { kind: 'zscore', mask: 'nonzero' } },
  inference: { roi_size: [96, 96, 96], overlap: 0.25, blend: 'gaussian' },
  activation: 'softmax',
  labels: [],
  provenance: {},
  postprocessing: { largest_component: [] },
};

/** Of this program alone: `resourceUsage` begins with the largest that the program which started it ever was. */
function peakBytes(): number {
  return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]) * 1024;
}

const path = z.string().parse(process.argv[2]);
const before = peakBytes();
const work = new VolumeWork();
const { inputVoxels, shape } = await work.decode({
  files: [new Uint8Array(readFileSync(path))],
  task,
  maxVoxels: 2 ** 28,
});
const { volume } = work.prepare();
const { roi_size: roi, overlap, blend } = task.inference;
const plan = windowPlan(shape, roi, overlap);
const decide = decider({ kind: 'classes' }, CLASSES, shape);
const blender = new Blender({ classes: CLASSES, shape, plan, roi, blend }, (index, plane) =>
  decide.plane(index, plane),
);
const image = new Float32Array(voxelCount(roi));
const logits = new Float32Array(CLASSES * image.length);
for (const start of plan.starts) {
  extractWindow(volume, 1, shape, plan, roi, start, image);
  logits.set(image, image.length);
  blender.add(logits, start);
}
blender.finish();
const decided = decide.answer();
if (decided.kind !== 'labels') throw new Error('no labels');
const onGrid = { output: 'labels', labels: decided.labels } as const;
const { body } = await work.answer({ onGrid, format: 'nifti', adapter: null, base: 'sha256:none' });
const said = workBytes({
  inputVoxels,
  gridVoxels: voxelCount(shape),
  channels: 1,
  classes: CLASSES,
  output: 'labels',
  shape,
  task,
});
const held = peakBytes() - before;
process.stdout.write(JSON.stringify({ shape, inputVoxels, said, held, answered: body.length }));
