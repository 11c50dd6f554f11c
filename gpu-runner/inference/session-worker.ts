import { HEAD_PARAMETERS } from '../../schemas/architecture.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { adapterFeeds, allFinite, baseFed, type FeedableAdapter } from '../network/feeds.ts';
import { readWeights } from '../network/weights.ts';
import type { RegisteredBase, RunReply, SentRun, ToChild } from './session-messages.ts';
import type { SessionPool } from './session-pool.ts';
import { slide } from './slide.ts';

interface Job {
  readonly id: number;
  readonly run: SentRun;
  readonly base: RegisteredBase;
  readonly adapter: FeedableAdapter | null;
  readonly signal: AbortSignal;
}

/** Runs what the host sends, one run at a time; messages are taken between its windows. */
export class SessionWorker {
  readonly #pool: SessionPool;
  readonly #reply: (reply: RunReply) => void;
  readonly #bases = new Map<string, RegisteredBase>();
  readonly #adapters = new Map<string, FeedableAdapter>();
  readonly #aborts = new Map<number, AbortController>();

  constructor(pool: SessionPool, reply: (reply: RunReply) => void) {
    this.#pool = pool;
    this.#reply = reply;
  }

  handle(message: Exclude<ToChild, { type: 'start' | 'pulse' }>): void {
    switch (message.type) {
      case 'base':
        this.#bases.set(message.base.digest, message.base);
        return;
      case 'forget-base':
        this.#bases.delete(message.digest);
        return;
      case 'adapter':
        this.#adapters.set(message.digest, message.adapter);
        return;
      case 'forget':
        this.#adapters.delete(message.digest);
        return;
      case 'cancel':
        this.#aborts.get(message.id)?.abort();
        return;
      case 'run':
        void this.#answer(message.id, message.run);
    }
  }

  async #answer(id: number, run: SentRun): Promise<void> {
    const abort = new AbortController();
    this.#aborts.set(id, abort);
    try {
      this.#reply(await this.#run(this.#job(id, run, abort.signal)));
    } catch (error) {
      const cause = abort.signal.aborted ? new ServiceError('cancelled', 'The run was cancelled.') : error;
      const code = cause instanceof ServiceError ? cause.code : 'internal';
      this.#reply({ type: 'failed', id, code, message: cause instanceof Error ? cause.message : String(cause) });
    }
    this.#aborts.delete(id);
  }

  #job(id: number, run: SentRun, signal: AbortSignal): Job {
    const base = this.#bases.get(run.base);
    const adapter = run.adapter === null ? null : this.#adapters.get(run.adapter);
    if (base === undefined || adapter === undefined) throw new Error('the run names what was never sent');
    return { id, run, base, adapter, signal };
  }

  async #run(job: Job): Promise<RunReply> {
    const { id, run, base, adapter, signal } = job;
    const started = performance.now();
    checkRun(job);
    const session = await this.#pool.get(base, run.window, adapter?.kind ?? 'head');
    const { architecture, weightsPath } = base;
    const fromBase = await readWeights(weightsPath, architecture, baseFed(architecture, adapter));
    const predict = session.bind(adapterFeeds(architecture, adapter, fromBase));
    const fused = performance.now();
    const result = await slide(run, predict, signal, (done, total) => {
      this.#reply({ type: 'progress', id, done, total });
    });
    return { type: 'done', id, ...result, timings: { fuse: fused - started, infer: performance.now() - fused } };
  }
}

function checkRun({ run, base, adapter }: Job): void {
  const { volume, channels, shape, classes } = run;
  const { in_channels, out_channels } = base.architecture;
  if (channels !== in_channels) {
    throw new ServiceError('channel_mismatch', `The network takes ${in_channels} channels, not ${channels}.`);
  }
  const head = adapter?.replaced.get(HEAD_PARAMETERS[0])?.shape[0] ?? out_channels;
  if (classes !== head) throw new Error(`the head has ${head} channels, not ${classes}`);
  const values = channels * shape[0] * shape[1] * shape[2];
  if (volume.length !== values) throw new Error(`expected a volume of ${values} values, found ${volume.length}`);
  if (!allFinite(volume)) throw new ServiceError('invalid_volume', 'The prepared volume holds NaN or infinite values.');
}
