import { ServiceError } from '../../schemas/errors.ts';
import type { ChildKeeper, SessionLog } from './child-keeper.ts';
import type { ChildLink } from './child-link.ts';
import { valuesOf, withRoom } from './decision.ts';
import { type Exchange, takeValues, writeValues } from './exchange.ts';
import type { CostModel, WindowKind } from './scheduler/cost-model.ts';
import type { RunReply } from './session-messages.ts';
import type { RunOptions, RunRequest, RunResult } from './session-types.ts';
import { Silence } from './silence.ts';
import { nextWaiting } from './waiting-runs.ts';

/** Told of every window that the device has run, in milliseconds, whether or not anybody still wants it. */
export type OnWindow = (milliseconds: number) => void;

export interface DeviceRunsOptions {
  /** Whoever has the child: it is asked each time, since children come and go. */
  readonly device: () => Pick<ChildKeeper, 'link' | 'up'>;
  readonly exchange: Exchange;
  /** Learns what windows take. */
  readonly costs: CostModel;
  /** Runs that a child has at a time. */
  readonly maxActive: number;
  /** A child that has a run and is silent for so long is killed. */
  readonly stallMilliseconds: number;
  readonly log: SessionLog;
  readonly onWindow?: OnWindow | undefined;
}

interface Pending {
  readonly id: number;
  readonly tenant: string;
  readonly request: RunRequest;
  readonly options: RunOptions;
  readonly windowKind: WindowKind;
  readonly queuedAt: number;
  /** Whether a child has it: it is lost with that child. */
  sent: boolean;
  resolve(result: RunResult): void;
  reject(error: unknown): void;
}

/** The runs of a device: those that wait for a place, and those that a child has, until their answers are taken. */
export class DeviceRuns {
  readonly #options: DeviceRunsOptions;
  readonly #silence: Silence;
  readonly #waiting = new Map<number, Pending>();
  readonly #active = new Map<number, Pending>();
  #nextId = 1;
  #closed = false;

  constructor(options: DeviceRunsOptions) {
    const { device, stallMilliseconds, log } = options;
    this.#options = options;
    this.#silence = new Silence(stallMilliseconds, () => {
      const runs = [...this.#active.values()].map(({ request }) => request.runId);
      log.warn({ runs }, 'the session process is silent and is ended');
      device().link?.kill();
    });
  }

  /** Runs that wait or run. */
  get length(): number {
    return this.#waiting.size + this.#active.size;
  }

  /** Rejects with the signal's own `ServiceError`, or `cancelled`, as soon as it is aborted. */
  async run(request: RunRequest, options: RunOptions, windowKind: WindowKind): Promise<RunResult> {
    const { signal, tenant = '' } = options;
    if (this.#closed) throw stopping();
    if (signal?.aborted === true) throw cancellation(signal);
    const { promise, resolve, reject } = Promise.withResolvers<RunResult>();
    const id = this.#nextId++;
    const queuedAt = performance.now();
    const pending: Pending = { id, tenant, request, options, windowKind, queuedAt, sent: false, resolve, reject };
    const onAbort = () => this.#cancel(pending);
    signal?.addEventListener('abort', onAbort, { once: true });
    this.#waiting.set(id, pending);
    this.next();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener('abort', onAbort);
    }
  }

  /** Gives the child runs while it has places. */
  next(): void {
    const { link, up } = this.#options.device();
    if (link === null || !up) return;
    while (this.#active.size < this.#options.maxActive) {
      const pending = nextWaiting(this.#waiting.values(), this.#active.values());
      if (pending === null) return;
      this.#waiting.delete(pending.id);
      this.#active.set(pending.id, pending);
      void this.#send(link, pending);
    }
  }

  onReply(reply: RunReply): void {
    this.#silence.heard(this.#anySent());
    const pending = this.#active.get(reply.id);
    if (reply.type === 'progress') {
      const { milliseconds, ran, done, total } = reply;
      if (ran) this.#options.onWindow?.(milliseconds);
      if (pending === undefined) return;
      if (ran) this.#options.costs.learn(pending.windowKind, milliseconds);
      pending.options.onProgress?.(done, total);
      return;
    }
    if (pending === undefined) void this.#options.exchange.forget(reply.id);
    else if (reply.type === 'done') void this.#finish(pending, reply);
    else {
      const { id, code, message } = reply;
      this.#settle(id);
      pending.reject(code === 'internal' ? new Error(message) : new ServiceError(code, message));
    }
  }

  /** The child is gone: the runs it had are lost, those on their way to it wait for the next one. */
  onLost(): void {
    for (const pending of this.#active.values()) {
      if (pending.sent) {
        this.#settle(pending.id);
        pending.reject(unavailable('The session process ended during the run.'));
      } else {
        this.#active.delete(pending.id);
        this.#waiting.set(pending.id, pending);
      }
    }
    this.#silence.heard(this.#anySent());
  }

  rejectWaiting(error: ServiceError): void {
    for (const pending of this.#waiting.values()) pending.reject(error);
    this.#waiting.clear();
  }

  /** Rejects what is left, and all that comes, with `runner_unavailable`. */
  close(): void {
    this.#closed = true;
    this.rejectWaiting(stopping());
    for (const pending of this.#active.values()) pending.reject(stopping());
    this.#active.clear();
    this.#silence.heard(false);
  }

  async #send(link: ChildLink, pending: Pending): Promise<void> {
    const { exchange, device } = this.#options;
    const { id, tenant, request, options } = pending;
    const { adapter, runId: _, volume, ...run } = request;
    const paths = exchange.paths(id);
    try {
      await writeValues(paths.volume, volume);
    } catch (error) {
      if (this.#settle(id) !== null) pending.reject(error);
      return;
    }
    // Cancelled while its volume was written, or back among the waiting because that child died.
    if (!this.#active.has(id) && !this.#waiting.has(id)) return await exchange.forget(id);
    if (!this.#active.has(id) || device().link !== link) return;
    pending.sent = true;
    const deadline = options.deadline ?? Number.POSITIVE_INFINITY;
    link.run(id, { ...run, volumePath: paths.volume, decidedPath: paths.decided, tenant, deadline }, adapter);
    this.#watch();
  }

  async #finish(pending: Pending, reply: Extract<RunReply, { type: 'done' }>): Promise<void> {
    const { id, request, queuedAt } = pending;
    const { classes, shape } = request;
    // It is with the child no more, which may die now.
    this.#active.delete(id);
    this.#watch();
    this.next();
    const ran = performance.now() - queuedAt;
    const { windows, timings } = reply;
    const queue = Math.max(0, ran - timings.fuse - timings.infer);
    try {
      const decided = withRoom(reply.decided, classes, shape);
      await takeValues(this.#options.exchange.paths(id).decided, valuesOf(decided));
      pending.resolve({ decided, windows, classes, timings: { queue, ...timings } });
    } catch (error) {
      pending.reject(this.#closed ? stopping() : error);
    }
  }

  /** Takes a run off the device, with its files. */
  #settle(id: number): Pending | null {
    const pending = this.#active.get(id) ?? null;
    if (pending === null) return null;
    this.#active.delete(id);
    void this.#options.exchange.forget(id);
    this.#watch();
    this.next();
    return pending;
  }

  #cancel(pending: Pending): void {
    if (!this.#waiting.delete(pending.id)) {
      if (pending.sent) this.#options.device().link?.cancel(pending.id);
      this.#settle(pending.id);
    }
    pending.reject(cancellation(pending.options.signal));
  }

  #watch(): void {
    this.#silence.watch(this.#anySent());
  }

  #anySent(): boolean {
    return [...this.#active.values()].some(({ sent }) => sent);
  }
}

function unavailable(message: string): ServiceError {
  return new ServiceError('runner_unavailable', message);
}

function stopping(): ServiceError {
  return unavailable('The runner is stopping.');
}

function cancellation(signal: AbortSignal | undefined): ServiceError {
  if (signal?.reason instanceof ServiceError) return signal.reason;
  return new ServiceError('cancelled', 'The run was cancelled.');
}
