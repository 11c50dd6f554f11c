/** `starting`: not up yet. `silent`: up, but it neither answers nor computes. `failed`: its last self-probe went wrong. */
export type SessionHealth = 'ready' | 'starting' | 'silent' | 'failed';

export interface PulseTimes {
  /** A quiet child is asked so often whether it lives. */
  readonly everyMs: number;
  /** One that has not answered for so long, nor computed, is silent. */
  readonly silentMs: number;
  /** One that has been silent for so long is ended. */
  readonly endedMs: number;
}

export interface PulseOptions extends PulseTimes {
  /** Monotonic, in milliseconds. */
  readonly now: () => number;
  /** Processor time that the child has used, in any unit; null where the system does not tell. */
  readonly cpuTime: () => number | null;
  readonly ask: () => void;
  readonly onDead: () => void;
}

/** A child that stands still is seen after ten seconds at the latest. */
export const PULSE_TIMES: PulseTimes = { everyMs: 2_000, silentMs: 8_000, endedMs: 60_000 };

/**
 * Whether a child process lives. Everything that it says is a sign of life; a quiet one is asked, and answers between two
 * windows. A window may take minutes and blocks it so long, but uses the processor: only a child that does neither is silent.
 */
export class SessionPulse {
  readonly #options: PulseOptions;
  readonly #timer: NodeJS.Timeout;
  /** Of the last sign of life. */
  #aliveAt: number;
  #lookedAt: number;
  #cpu: number | null = null;
  #failed = false;

  constructor(options: PulseOptions) {
    this.#options = options;
    this.#aliveAt = options.now();
    this.#lookedAt = this.#aliveAt;
    this.#timer = setInterval(() => this.#look(), options.everyMs);
    this.#timer.unref();
  }

  /** Something came from the child. */
  beat(): void {
    this.#aliveAt = this.#options.now();
  }

  /** What its self-probe came to. */
  probed(worked: boolean): void {
    this.beat();
    this.#failed = !worked;
  }

  get health(): Exclude<SessionHealth, 'starting'> {
    if (this.#failed) return 'failed';
    return this.#options.now() - this.#aliveAt < this.#options.silentMs ? 'ready' : 'silent';
  }

  end(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { now, cpuTime, ask, everyMs, endedMs, onDead } = this.#options;
    const cpu = cpuTime();
    // Where the system tells no processor time (Linux does), no child can be called silent; and where this process itself
    // stood still, nobody could be heard.
    const stoodStill = now() - this.#lookedAt > 2 * everyMs;
    if (cpu === null || cpu !== this.#cpu || stoodStill) this.beat();
    this.#cpu = cpu;
    this.#lookedAt = now();
    if (now() - this.#aliveAt >= endedMs) onDead();
    else ask();
  }
}
