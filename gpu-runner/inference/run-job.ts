import { rm } from 'node:fs/promises';
import { HEAD_PARAMETERS } from '../../schemas/architecture.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { adapterFeeds, allFinite, baseFed, type FeedableAdapter, type Feeds } from '../network/feeds.ts';
import { readWeights } from '../network/weights.ts';
import { voxelCount } from '../volume/volume.ts';
import { type DecidedKind, valuesOf, withoutValues } from './decision.ts';
import { takeValues, writeValues } from './exchange.ts';
import type { NetworkSession } from './onnx-session.ts';
import type { WindowKind } from './scheduler/cost-model.ts';
import type { RegisteredBase, SentRun } from './session-messages.ts';
import { Slide } from './slide.ts';

/** What a run stands on, as it was when the run came. */
export interface RunParts {
  readonly run: SentRun;
  readonly base: RegisteredBase;
  readonly adapter: FeedableAdapter | null;
  /** What it took to read the adapter. */
  readonly readMilliseconds: number;
}

/** One run in the child: its volume, its weights, and how far it is. */
export class RunJob {
  readonly parts: RunParts;
  readonly slide: Slide;
  readonly fuseMilliseconds: number;
  #windowMilliseconds = 0;
  readonly #feeds: Feeds;
  #session: NetworkSession | null = null;
  #predict: ((image: Float32Array) => Promise<Float32Array>) | null = null;

  private constructor(parts: RunParts, slide: Slide, feeds: Feeds, fuseMilliseconds: number) {
    this.parts = parts;
    this.slide = slide;
    this.#feeds = feeds;
    this.fuseMilliseconds = fuseMilliseconds;
  }

  /** Reads and checks what the run is fed with. Throws `channel_mismatch`, `invalid_volume` and `invalid_adapter`. */
  static async open(parts: RunParts): Promise<RunJob> {
    const { run, base, adapter } = parts;
    checkShape(parts);
    const volume = await takeValues(run.volumePath, new Float32Array(run.channels * voxelCount(run.shape)));
    const started = performance.now();
    if (!allFinite(volume))
      throw new ServiceError('invalid_volume', 'The prepared volume holds NaN or infinite values.');
    const { architecture, weightsPath } = base;
    const feeds = adapterFeeds(
      architecture,
      adapter,
      readWeights(weightsPath, architecture, baseFed(architecture, adapter)),
    );
    return new RunJob(
      parts,
      new Slide({ ...run, volume }),
      feeds,
      performance.now() - started + parts.readMilliseconds,
    );
  }

  get windowKind(): WindowKind {
    return { architecture: this.parts.base.architecture, ...sessionOf(this.parts) };
  }

  get windowMilliseconds(): number {
    return this.#windowMilliseconds;
  }

  /**
   * Takes the next window through a session, which may be another one than the last time. Answers its milliseconds, and
   * whether the network ran for it.
   */
  async step(session: NetworkSession): Promise<{ milliseconds: number; ran: boolean }> {
    const started = performance.now();
    if (this.#session !== session || this.#predict === null) {
      this.#session = session;
      this.#predict = session.bind(this.#feeds);
    }
    const ran = await this.slide.step(this.#predict);
    const milliseconds = performance.now() - started;
    this.#windowMilliseconds += milliseconds;
    return { milliseconds, ran };
  }

  /** Writes what is decided to where it is wanted, and answers what it is. */
  async finish(): Promise<DecidedKind> {
    const decided = this.slide.finish();
    await writeValues(this.parts.run.decidedPath, valuesOf(decided));
    return withoutValues(decided);
  }

  /** Removes what `finish` wrote. */
  async discard(): Promise<void> {
    await rm(this.parts.run.decidedPath, { force: true });
  }
}

/** The session that a run needs beside its base. */
export function sessionOf({ run, adapter }: RunParts): Pick<WindowKind, 'window' | 'kind'> {
  return { window: run.window, kind: adapter?.kind ?? 'head' };
}

function checkShape({ run, base, adapter }: RunParts): void {
  const { channels, classes } = run;
  const { in_channels, out_channels } = base.architecture;
  if (channels !== in_channels) {
    throw new ServiceError('channel_mismatch', `The network takes ${in_channels} channels, not ${channels}.`);
  }
  const head = adapter?.replaced.get(HEAD_PARAMETERS[0])?.shape[0] ?? out_channels;
  if (classes !== head) throw new Error(`the head has ${head} channels, not ${classes}`);
}
