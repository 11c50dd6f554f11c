import { ServiceError } from '../../schemas/errors.ts';
import { headChannels } from '../../schemas/manifest.ts';
import type { Base } from '../adapter/base.ts';
import type { CompiledAdapter } from '../adapter/compiled.ts';
import { voxelCount } from '../volume/volume.ts';
import { type Image, matchChannels } from './channels.ts';
import { type AllowedWindows, checkRun, inputVoxelsMax, isAllowedWindow, runBytes } from './limits.ts';
import { type OnPhase, PhaseClock, type Timings } from './phase-clock.ts';
import { Semaphore } from './semaphore.ts';
import type { NetworkRunner } from './session-types.ts';
import type { VolumePool, VolumeThread } from './volume-pool.ts';
import type { Output, Task } from './volume-work.ts';
import { checkWindowMemory } from './window-memory.ts';

export interface SegmentRequest {
  readonly runId: string;
  /** Their arrays are moved away: empty afterwards. */
  readonly images: readonly Image[];
  readonly base: Base;
  /** Null for the base with its own head. */
  readonly adapter: CompiledAdapter | null;
  readonly output: Output;
  /** Aborted with the error that the call is to reject with. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called when the images are no longer needed. */
  readonly onDecoded?: (() => void) | undefined;
  readonly onPhase?: OnPhase | undefined;
}

export interface Segmented {
  /** A gzipped NIfTI on the grid of the first channel. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** Of that grid. */
  readonly voxels: number;
  readonly windows: number;
  readonly timings: Timings;
}

export interface SegmenterOptions {
  readonly network: NetworkRunner;
  readonly volumes: VolumePool;
  /** For all volumes together, and as much for a window; a run that needs more alone is refused. */
  readonly memoryBytes: number;
  readonly windows: AllowedWindows;
}

/** From NIfTI files to a NIfTI file: decode, prepare, run, decide, encode. */
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
    const clock = new PhaseClock(request.onPhase);
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
    const { base, adapter, output, signal } = request;
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
        { runId: request.runId, base: base.digest, window, overlap, blend, adapter, volume, channels, classes, shape },
        { signal, onProgress: request.onProgress },
      );
      clock.split('queue', { fuse: result.timings.fuse, infer: result.timings.infer });
      const { logits, windows } = result;
      const sources = { adapter: adapter?.digest ?? null, base: base.digest };
      const answer = await thread.answer({ logits, classes, output, ...sources }, signal);
      clock.split('postprocess', { encode: answer.encode });
      return { body: answer.body, voxels: inputVoxels, windows, timings: clock.timings };
    } finally {
      release();
    }
  }
}
