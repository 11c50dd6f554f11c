import type { Vec3 } from '../volume/volume.ts';
import { type Blend, Blender } from './blend.ts';
import { type Decided, type Decider, type Decision, decider } from './decision.ts';
import { UniformAnswer, uniformValues } from './uniform.ts';
import { extractWindow, type WindowPlan, windowPlan } from './windows.ts';

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

/** The windows of one volume, taken one by one whenever they are due, blended, and decided plane by plane. */
export class Slide {
  readonly #request: SlideRequest;
  readonly #plan: WindowPlan;
  readonly #decider: Decider;
  readonly #blender: Blender;
  readonly #image: Float32Array;
  readonly #uniform = new UniformAnswer();
  #done = 0;

  constructor(request: SlideRequest) {
    const { channels, shape, classes, window, overlap, blend, decision } = request;
    const plan = windowPlan(shape, window, overlap);
    const decide = decider(decision, classes, shape);
    this.#request = request;
    this.#plan = plan;
    this.#decider = decide;
    this.#blender = new Blender({ classes, shape, plan, roi: window, blend }, (index, plane) =>
      decide.plane(index, plane),
    );
    this.#image = new Float32Array(channels * window[0] * window[1] * window[2]);
  }

  get done(): number {
    return this.#done;
  }

  get total(): number {
    return this.#plan.starts.length;
  }

  /**
   * Takes the next window through `predict` (`[channels, ...window]` to `[classes, ...window]`) and blends its answer.
   * Answers whether it needed `predict`: a window of one value alone is taken through it once in a row.
   */
  async step(predict: (image: Float32Array) => Promise<Float32Array>): Promise<boolean> {
    const { volume, channels, shape, window } = this.#request;
    const start = this.#plan.starts[this.#done];
    if (start === undefined) throw new RangeError('there is no window left');
    extractWindow(volume, channels, shape, this.#plan, window, start, this.#image);
    const values = uniformValues(this.#image, channels);
    const known = values === null ? null : this.#uniform.get(values);
    const logits = known ?? (await predict(this.#image));
    if (values !== null) this.#uniform.keep(values, logits);
    this.#blender.add(logits, start);
    this.#done += 1;
    return known === null;
  }

  /** What is decided of the volume; call it once, after the last window. */
  finish(): Decided {
    this.#blender.finish();
    return this.#decider.answer();
  }
}
