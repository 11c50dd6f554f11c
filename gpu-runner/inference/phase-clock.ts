export const PHASES = ['queue', 'fetch', 'decode', 'preprocess', 'fuse', 'infer', 'postprocess', 'encode'] as const;
export type Phase = (typeof PHASES)[number];
/** Milliseconds of each phase. */
export type Timings = Readonly<Record<Phase, number>>;
/** Told of a piece of a phase when it is over, in milliseconds of `performance.now()`. */
export type OnPhase = (phase: Phase, start: number, end: number) => void;

/** Adds the time that passes to phases, so that together they are the whole. */
export class PhaseClock {
  readonly timings: Record<Phase, number> = {
    queue: 0,
    fetch: 0,
    decode: 0,
    preprocess: 0,
    fuse: 0,
    infer: 0,
    postprocess: 0,
    encode: 0,
  };
  readonly #onPhase: OnPhase | undefined;
  #last = performance.now();

  constructor(onPhase?: OnPhase) {
    this.#onPhase = onPhase;
  }

  end(phase: Phase): void {
    this.split(phase, {});
  }

  /** The end of the time since the last call belongs to `parts`, one after the other, and what was before it to `phase`. */
  split(phase: Phase, parts: Partial<Timings>): void {
    const now = performance.now();
    const taken = PHASES.reduce((sum, part) => sum + (parts[part] ?? 0), 0);
    this.#add(phase, Math.max(now - this.#last - taken, 0));
    for (const part of PHASES) this.#add(part, parts[part] ?? 0);
    this.#last = now;
  }

  #add(phase: Phase, time: number): void {
    if (time === 0) return;
    this.timings[phase] += time;
    this.#onPhase?.(phase, this.#last, this.#last + time);
    this.#last += time;
  }
}
