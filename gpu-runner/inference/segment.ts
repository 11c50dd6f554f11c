import type { Format } from '../../schemas/answer-formats.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { headChannels } from '../../schemas/manifest.ts';
import type { RunReport } from '../../schemas/report.ts';
import type { Base } from '../adapter/base.ts';
import type { CompiledAdapter } from '../adapter/compiled.ts';
import { voxelCount } from '../volume/volume.ts';
import { type Image, matchChannels } from './channels.ts';
import { type Decided, decisionOf } from './decision.ts';
import { type AllowedWindows, checkRun, inputVoxelsMax, isAllowedWindow, runBytes } from './limits.ts';
import { runReport } from './run-report.ts';
import { Semaphore } from './semaphore.ts';
import type { NetworkRunner } from './session-types.ts';
import type { VolumePool, VolumeThread } from './volume-pool.ts';
import type { OnGrid, Output, Task } from './volume-work.ts';
import { checkWindowMemory } from './window-memory.ts';

export interface SegmentRequest {
  readonly runId: string;
  /** Their arrays are moved away: empty afterwards. */
  readonly images: readonly Image[];
  readonly base: Base;
  /** Null for the base with its own head. */
  readonly adapter: CompiledAdapter | null;
  readonly output: Output;
  readonly format: Format;
  /** Aborted with the error that the call is to reject with. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called when the images are no longer needed. */
  readonly onDecoded?: (() => void) | undefined;
}

export const PHASES = ['queue', 'fetch', 'decode', 'preprocess', 'fuse', 'infer', 'postprocess', 'encode'] as const;
export type Phase = (typeof PHASES)[number];
/** Milliseconds of each phase. */
export type Timings = Readonly<Record<Phase, number>>;

export interface Segmented {
  /** In the request's format, on the grid of the first channel. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Of that grid. */
  readonly voxels: number;
  readonly windows: number;
  readonly report: RunReport;
  readonly timings: Timings;
}

export interface SegmenterOptions {
  readonly network: NetworkRunner;
  readonly volumes: VolumePool;
  /** For all volumes together, and as much for a window; a run that needs more alone is refused. */
  readonly memoryBytes: number;
  readonly windows: AllowedWindows;
}

/** From files of volumes to a file of labels or probabilities: decode, prepare, run, decide, encode. */
export class Segmenter {
  readonly #options: SegmenterOptions;
  readonly #memory: Semaphore;

  constructor(options: SegmenterOptions) {
    this.#options = options;
    this.#memory = new Semaphore(options.memoryBytes);
  }

  /**
   * Throws `channel_mismatch`, `invalid_volume`, `grid_mismatch`, `invalid_adapter` or `invalid_base` where its window
   * is not allowed here, `runner_unavailable` where the session's process dies, and the signal's reason.
   */
  async segment(request: SegmentRequest): Promise<Segmented> {
    const { base, adapter, images, signal } = request;
    const task = adapter?.manifest ?? base.manifest;
    this.checkWindow(base, adapter);
    const files = matchChannels(images, task.channels);
    const clock = new PhaseClock();
    try {
      return await this.#options.volumes.use(async (thread) => {
        clock.end('queue');
        return await this.#segmentOn(thread, request, task, files, clock);
      }, signal);
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    }
  }

  /** Throws where the window of an adapter, or of the base alone, is not one that the operator lets run or is too large. */
  checkWindow(base: Base, adapter: CompiledAdapter | null): void {
    const window = (adapter ?? base).manifest.inference.roi_size;
    const code = adapter === null ? 'invalid_base' : 'invalid_adapter';
    const path = 'manifest.inference.roi_size';
    if (!isAllowedWindow(window, this.#options.windows)) {
      const message = `The window ${window.join(' x ')} is not one that this service runs.`;
      throw new ServiceError(code, message, { problems: [{ code: 'manifest', path, message }] });
    }
    const { architecture } = base.manifest;
    checkWindowMemory({ architecture, window }, this.#options.memoryBytes, { code, path });
  }

  async #segmentOn(
    thread: VolumeThread,
    request: SegmentRequest,
    task: Task,
    files: readonly Uint8Array[],
    clock: PhaseClock,
  ): Promise<Segmented> {
    const { network, memoryBytes } = this.#options;
    const { base, adapter, output, format, signal } = request;
    const [channels, classes] = [task.channels.length, headChannels(task)];
    const maxVoxels = inputVoxelsMax(memoryBytes, channels);
    const { inputVoxels, shape } = await thread.decode({ files, task, maxVoxels }, signal);
    request.onDecoded?.();
    const run = { inputVoxels, gridVoxels: voxelCount(shape), channels, classes, output, shape, task };
    checkRun(run, memoryBytes);
    clock.end('decode');

    const release = await this.#memory.acquire(runBytes(run), signal);
    try {
      clock.end('queue');
      const { volume } = await thread.prepare(signal);
      clock.end('preprocess');
      const { roi_size: window, overlap, blend } = task.inference;
      const result = await network.run(
        {
          runId: request.runId,
          base: base.digest,
          window,
          overlap,
          blend,
          adapter,
          volume,
          channels,
          classes,
          shape,
          decision: decisionOf(task, output),
        },
        { signal, onProgress: request.onProgress },
      );
      clock.split('queue', { fuse: result.timings.fuse, infer: result.timings.infer });
      const { decided, windows } = result;
      const sources = { adapter: adapter?.digest ?? null, base: base.digest };
      const answer = await thread.answer({ onGrid: onGridOf(decided, classes), format, ...sources }, signal);
      clock.split('postprocess', { encode: answer.encode });
      const statistics = decided.kind === 'labels' ? decided.statistics : null;
      const report = runReport(task.labels, answer.findings, statistics);
      return { body: answer.body, voxels: inputVoxels, windows, report, timings: clock.timings };
    } finally {
      release();
    }
  }
}

function onGridOf(decided: Decided, classes: number): OnGrid {
  if (decided.kind === 'labels') return { output: 'labels', labels: decided.labels };
  return { output: 'probabilities', probabilities: decided.values, classes };
}

/** Adds the time that passes to phases, so that together they are the whole. */
class PhaseClock {
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
  #last = performance.now();

  end(phase: Phase): void {
    this.split(phase, {});
  }

  /** Some of the time since the last call belongs to `parts`, the rest to `phase`. */
  split(phase: Phase, parts: Partial<Timings>): void {
    const now = performance.now();
    let rest = now - this.#last;
    this.#last = now;
    for (const part of PHASES) {
      const time = parts[part] ?? 0;
      this.timings[part] += time;
      rest -= time;
    }
    this.timings[phase] += Math.max(rest, 0);
  }
}
