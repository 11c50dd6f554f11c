import { setImmediate as betweenWindows } from 'node:timers/promises';
import type { Vec3 } from '../volume/volume.ts';
import { type Blend, Blender } from './blend.ts';
import { type Decided, type Decision, decider } from './decision.ts';
import { extractWindow, windowPlan } from './windows.ts';

export interface SlideRequest {
  /** `[channels, ...shape]` in C order. */
  readonly volume: Float32Array;
  readonly channels: number;
  readonly shape: Vec3;
  readonly classes: number;
  readonly window: Vec3;
  readonly overlap: number;
  readonly blend: Blend;
  readonly decision: Decision;
}

/**
 * Takes every window of a volume through `predict` (`[channels, ...window]` to `[classes, ...window]`), blends the answers
 * and decides them plane by plane. Lets other work in between windows, and stops there when `signal` is aborted, throwing its reason.
 */
export async function slide(
  request: SlideRequest,
  predict: (image: Float32Array) => Promise<Float32Array>,
  signal: AbortSignal,
  onWindow: (done: number, total: number) => void,
): Promise<{ decided: Decided; windows: number }> {
  const { volume, channels, shape, classes, window, overlap, blend, decision } = request;
  const plan = windowPlan(shape, window, overlap);
  const decide = decider(decision, classes, shape);
  const blender = new Blender({ classes, shape, plan, roi: window, blend }, (index, plane) =>
    decide.plane(index, plane),
  );
  const image = new Float32Array(channels * window[0] * window[1] * window[2]);
  const windows = plan.starts.length;
  for (const [index, start] of plan.starts.entries()) {
    await betweenWindows();
    signal.throwIfAborted();
    extractWindow(volume, channels, shape, plan, window, start, image);
    blender.add(await predict(image), start);
    onWindow(index + 1, windows);
  }
  blender.finish();
  return { decided: decide.answer(), windows };
}
