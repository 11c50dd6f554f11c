import { setImmediate as messages } from 'node:timers/promises';
import { ServiceError } from '../../schemas/errors.ts';
import { AdapterShelf } from './adapter-shelf.ts';
import { RunJob, type RunParts, sessionOf } from './run-job.ts';
import { CostModel } from './scheduler/cost-model.ts';
import { WindowScheduler } from './scheduler/window-scheduler.ts';
import type { RegisteredBase, RunReply, SentRun, ToChild } from './session-messages.ts';
import type { SessionPool } from './session-pool.ts';
import { Underway } from './underway.ts';

/** How long the device stands still at most for files that are read or written. */
const FILES_MILLISECONDS = 20;

/**
 * Runs what the host sends, side by side: the scheduler says whose window is next, and messages are taken between two
 * windows.
 */
export class SessionWorker {
  readonly #pool: SessionPool;
  readonly #reply: (reply: RunReply) => void;
  readonly #now: () => number;
  readonly #bases = new Map<string, RegisteredBase>();
  readonly #adapters = new AdapterShelf();
  /** Null for a run whose volume is being read. */
  readonly #jobs = new Map<number, RunJob | null>();
  readonly #scheduler = new WindowScheduler();
  readonly #costs = new CostModel();
  readonly #files = new Underway();
  #working = false;

  /** `now` is in epoch milliseconds. */
  constructor(pool: SessionPool, reply: (reply: RunReply) => void, now: () => number) {
    this.#pool = pool;
    this.#reply = reply;
    this.#now = now;
  }

  handle(message: Exclude<ToChild, { type: 'start' | 'pulse' }>): void {
    switch (message.type) {
      case 'base':
        this.#bases.set(message.base.digest, message.base);
        return;
      case 'forget-base':
        this.#bases.delete(message.digest);
        return;
      case 'cancel':
        this.#fail(message.id, new ServiceError('cancelled', 'The run was cancelled.'));
        return;
      case 'run':
        void this.#files.add(this.#open(message.id, message.run));
    }
  }

  async #open(id: number, run: SentRun): Promise<void> {
    this.#jobs.set(id, null);
    try {
      const job = await RunJob.open(this.#partsOf(run));
      if (!this.#jobs.has(id)) return;
      this.#jobs.set(id, job);
      const { windowKind } = job;
      this.#scheduler.add({
        id,
        tenant: run.tenant,
        windows: job.slide.total,
        deadline: run.deadline,
        cost: () => this.#costs.estimate(windowKind),
        leastCost: () => this.#costs.measured(windowKind)?.least ?? 0,
      });
      void this.#work();
    } catch (error) {
      this.#fail(id, error);
    }
  }

  #partsOf(run: SentRun): RunParts {
    const base = this.#bases.get(run.base);
    if (base === undefined) throw new Error('the run names a base that was never sent');
    const started = performance.now();
    const adapter = run.adapter === null ? null : this.#adapters.get(run.adapter);
    return { run, base, adapter, readMilliseconds: performance.now() - started };
  }

  /** Takes windows until there are none. */
  async #work(): Promise<void> {
    if (this.#working) return;
    this.#working = true;
    for (;;) {
      await messages();
      // Each step of a large file needs this thread, which a window blocks: taken one a window, it would wait for a dozen
      // windows of others before its first.
      await this.#files.settled(FILES_MILLISECONDS);
      for (const late of this.#scheduler.expire(this.#now())) this.#fail(late, tooLate());
      const id = this.#scheduler.next();
      if (id === null) break;
      await this.#step(id);
    }
    this.#working = false;
  }

  async #step(id: number): Promise<void> {
    const job = this.#jobs.get(id);
    if (job === undefined || job === null) throw new Error(`the run ${id} is scheduled and not open`);
    try {
      const { windowKind, slide } = job;
      const expected = this.#costs.estimate(windowKind);
      const known = this.#costs.measured(windowKind) !== null;
      const started = performance.now();
      const { window, kind } = sessionOf(job.parts);
      const session = await this.#pool.get(job.parts.base, window, kind);
      const { milliseconds, ran } = await job.step(session);
      if (!this.#jobs.has(id)) return;
      // A session that had to be made is paid by whoever needed it, and says nothing of the next window. What the window
      // itself took beyond its mean is chance, and nobody's fault: charged, it would be all that equal tenants differ in.
      const making = performance.now() - started - milliseconds;
      this.#scheduler.charge(job.parts.run.tenant, known && ran ? making : making + milliseconds - expected);
      if (ran) this.#costs.learn(windowKind, milliseconds);
      this.#reply({ type: 'progress', id, done: slide.done, total: slide.total, milliseconds, ran });
      // Not awaited: the next run's window goes on while a large answer is written.
      if (slide.done === slide.total) void this.#files.add(this.#finish(id, job));
    } catch (error) {
      this.#fail(id, error);
    }
  }

  async #finish(id: number, job: RunJob): Promise<void> {
    try {
      const decided = await job.finish();
      // Cancelled meanwhile: nobody will come for the file.
      if (!this.#jobs.delete(id)) return await job.discard();
      const timings = { fuse: job.fuseMilliseconds, infer: job.windowMilliseconds };
      this.#reply({ type: 'done', id, decided, windows: job.slide.total, timings });
    } catch (error) {
      this.#fail(id, error);
    }
  }

  /** Forgets a run, and tells why; one that is not here any more changes nothing. */
  #fail(id: number, error: unknown): void {
    this.#scheduler.remove(id);
    if (!this.#jobs.delete(id)) return;
    const code = error instanceof ServiceError ? error.code : 'internal';
    this.#reply({ type: 'failed', id, code, message: error instanceof Error ? error.message : String(error) });
  }
}

function tooLate(): ServiceError {
  return new ServiceError('deadline_exceeded', 'The run cannot be done before its deadline.');
}
