import { Blender, type BlenderOptions } from '../../gpu-runner/inference/blend.ts';
import { type Decided, type Decision, decider } from '../../gpu-runner/inference/decision.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';

/** The values `[classes, ...shape]` of a run that was asked for logits or probabilities. */
export function valuesOf(decided: Decided): Float32Array {
  if (decided.kind !== 'values') throw new Error('labels were decided');
  return decided.values;
}

/** The blended logits `[classes, ...shape]` of the windows that `predict` answers. */
export async function blendedLogits(
  options: BlenderOptions,
  predict: (start: Vec3) => Float32Array | Promise<Float32Array>,
): Promise<Float32Array> {
  const { classes, shape, plan } = options;
  const made = decider({ kind: 'logits' }, classes, shape);
  const blender = new Blender(options, (index, plane) => made.plane(index, plane));
  for (const start of plan.starts) blender.add(await predict(start), start);
  blender.finish();
  return valuesOf(made.answer());
}

/** What a decision makes of whole logits `[classes, ...shape]`. */
export function decide(decision: Decision, logits: Float32Array, classes: number, shape: Vec3): Decided {
  const plane = shape[1] * shape[2];
  const voxels = shape[0] * plane;
  const made = decider(decision, classes, shape);
  for (let i = 0; i < shape[0]; i++) {
    const values = new Float32Array(classes * plane);
    for (let c = 0; c < classes; c++) {
      values.set(logits.subarray(c * voxels + i * plane, c * voxels + (i + 1) * plane), c * plane);
    }
    made.plane(i, values);
  }
  return made.answer();
}
