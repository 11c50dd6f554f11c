import { setImmediate as betweenWindows } from 'node:timers/promises';
import type { Vec3 } from '../volume/volume.ts';
import { type Blend, Blender } from './blend.ts';
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
}

/**
 * Takes every window of a volume through `predict` (`[channels, ...window]` to `[classes, ...window]`) and blends the
 * answers. Lets other work in between windows, and stops there when `signal` is aborted, throwing its reason.
 */
export async function slide(
  request: SlideRequest,
  predict: (image: Float32Array) => Promise<Float32Array>,
  signal: AbortSignal,
  onWindow: (done: number, total: number) => void,
): Promise<{ logits: Float32Array; windows: number }> {
  const { volume, channels, shape, classes, window, overlap, blend } = request;
  const plan = windowPlan(shape, window, overlap);
  const blender = new Blender(classes, shape, plan, window, blend);
  const image = new Float32Array(channels * window[0] * window[1] * window[2]);
  const windows = plan.starts.length;
  for (const [index, start] of plan.starts.entries()) {
    await betweenWindows();
    signal.throwIfAborted();
    extractWindow(volume, channels, shape, plan, window, start, image);
    blender.add(await predict(image), start);
    onWindow(index + 1, windows);
  }
  return { logits: blender.finish(), windows };
}
