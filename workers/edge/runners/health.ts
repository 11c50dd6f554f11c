/** Whether a runner takes work: `full` is alive but has no room, `down` does not answer or cannot serve. */
export type Readiness = 'ready' | 'full' | 'down';

/** What an isolate knows of its runners, by their addresses. */
export interface HealthMemory {
  readonly seen: Map<string, { readonly state: Readiness; readonly at: number }>;
  readonly asking: Map<string, Promise<Readiness>>;
}

export interface HealthOptions {
  /** Outlives a request, where the rest does not. */
  readonly memory: HealthMemory;
  /** Asks a runner, and answers `down` within `PROBE_TIMEOUT_MS` where it does not. */
  readonly probe: (runner: string) => Promise<Readiness>;
  readonly now: () => number;
  readonly later: (work: Promise<unknown>) => void;
}

export const PROBE_TIMEOUT_MS = 2_000;
/** For how long what a runner said last is believed. */
const BELIEVED_MS = 1_000;
/** More than a probe takes: one that has not ended by then went with the request that began it. */
const WAIT_MS = PROBE_TIMEOUT_MS + 500;

export function emptyMemory(): HealthMemory {
  return { seen: new Map(), asking: new Map() };
}

/** Which runners take work, by their readiness. However many requests want to know at once, a runner is asked once. */
export class Health {
  readonly #options: HealthOptions;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /**
   * As the runner said within the last second, or says now. One that was not ready is asked again beside the request:
   * none waits for a machine that is gone.
   */
  async look(runner: string): Promise<Readiness> {
    const { memory, now } = this.#options;
    const seen = memory.seen.get(runner);
    if (seen !== undefined && now() - seen.at < BELIEVED_MS) return seen.state;
    const answer = this.ask(runner);
    return seen === undefined || seen.state === 'ready' ? answer : seen.state;
  }

  /** As the runner says now, or is about to say to another request. */
  async ask(runner: string): Promise<Readiness> {
    const { asking } = this.#options.memory;
    const answer = asking.get(runner) ?? this.#begin(runner);
    const state = await within(WAIT_MS, answer);
    if (state !== null) return state;
    if (asking.get(runner) === answer) asking.delete(runner);
    return 'down';
  }

  /** A call just found it so, whatever it said before: it is passed over until it has been asked again. */
  found(runner: string, state: 'full' | 'down'): void {
    const { memory } = this.#options;
    // What a question from before the call will answer is old news.
    memory.asking.delete(runner);
    memory.seen.set(runner, { state, at: Number.NEGATIVE_INFINITY });
  }

  #begin(runner: string): Promise<Readiness> {
    const { memory, probe, now, later } = this.#options;
    const answer = probe(runner).then((state) => {
      if (memory.asking.get(runner) === answer) {
        memory.asking.delete(runner);
        memory.seen.set(runner, { state, at: now() });
      }
      return state;
    });
    memory.asking.set(runner, answer);
    // Others may wait for it when this request has ended.
    later(answer);
    return answer;
  }
}

/** The value, or null where it takes longer than this. */
async function within<T>(milliseconds: number, value: Promise<T>): Promise<T | null> {
  const settled = new AbortController();
  const late = scheduler.wait(milliseconds, { signal: settled.signal }).then(
    () => null,
    () => null,
  );
  try {
    return await Promise.race([value, late]);
  } finally {
    settled.abort();
  }
}
