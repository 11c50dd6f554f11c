import type { Format } from '../../schemas/answer-formats.ts';
import { ServiceError } from '../../schemas/errors.ts';
import type { RunReport } from '../../schemas/report.ts';
import type { Base } from '../adapter/base.ts';
import type { PlacedAdapter } from '../adapter/placed.ts';
import { type Image, matchChannels } from './channels.ts';
import { type Decided, decisionOf } from './decision.ts';
import { type AllowedWindows, isAllowedWindow, type PlannedRun, runBytes } from './limits.ts';
import { type OnPhase, PhaseClock, type Timings } from './phase-clock.ts';
import { planRun } from './plan-run.ts';
import { runReport } from './run-report.ts';
import { checkInTime, type Work } from './scheduler/workload.ts';
import { Semaphore } from './semaphore.ts';
import type { NetworkRunner } from './session-types.ts';
import type { VolumePool, VolumeThread } from './volume-pool.ts';
import type { OnGrid, Output } from './volume-work.ts';
import { checkWindowMemory } from './window-memory.ts';
import { windowCount } from './windows.ts';

export interface SegmentRequest {
  readonly runId: string;
  /** Whose work it is: tenants get equal shares. */
  readonly tenant: string;
  /** Epoch milliseconds; left out, there is none. */
  readonly deadline?: number | undefined;
  /** Their arrays are moved away: empty afterwards. */
  readonly images: readonly Image[];
  readonly base: Base;
  /** Null for the base with its own head. */
  readonly adapter: PlacedAdapter | null;
  readonly output: Output;
  readonly format: Format;
  /** Aborted with the error that the call is to reject with. */
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((done: number, total: number) => void) | undefined;
  /** Called when the images are no longer needed. */
  readonly onDecoded?: (() => void) | undefined;
  readonly onPhase?: OnPhase | undefined;
}

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
  /** Epoch milliseconds. */
  readonly now: () => number;
}

/** A run that was let in: what it was planned to be, and the milliseconds of the device that are left of it. */
interface Admitted extends Work {
  milliseconds: number;
}

/** From files of volumes to a file of labels or probabilities: decode, prepare, run, decide, encode. */
export class Segmenter {
  readonly #options: SegmenterOptions;
  readonly #memory: Semaphore;
  readonly #admitted = new Set<Admitted>();

  constructor(options: SegmenterOptions) {
    this.#options = options;
    this.#memory = new Semaphore(options.memoryBytes);
  }

  /** Bytes that the volumes of all runs in work were let in with. */
  get admittedBytes(): number {
    return this.#memory.held;
  }

  /**
   * What a volume costs is judged by its header, before it is decoded. Throws `channel_mismatch`, `invalid_volume`,
   * `grid_mismatch`, `invalid_adapter` or `invalid_base` where its window is not allowed here, `deadline_exceeded` and
   * `runner_busy` where it cannot be done in time, `runner_unavailable` where the session's process dies, and the
   * signal's reason.
   */
  async segment(request: SegmentRequest): Promise<Segmented> {
    const { base, adapter, images, signal, tenant } = request;
    const task = adapter?.manifest ?? base.manifest;
    this.checkWindow(base, adapter);
    const files = matchChannels(images, task.channels);
    const clock = new PhaseClock(request.onPhase);
    const plan = await planRun(files, task, request.output, this.#options.memoryBytes);
    clock.end('decode');
    const work = this.#admit(request, plan);
    try {
      const release = await this.#memory.acquire(tenant, runBytes(plan), signal);
      try {
        signal?.throwIfAborted();
        return await this.#options.volumes.use(async (thread) => {
          return await this.#segmentOn(thread, request, { plan, files, work, clock });
        });
      } finally {
        release();
      }
    } catch (error) {
      throw signal?.aborted ? signal.reason : error;
    } finally {
      this.#admitted.delete(work);
    }
  }

  /** Throws where the window of an adapter, or of the base alone, is not one that the operator lets run or is too large. */
  checkWindow(base: Base, adapter: PlacedAdapter | null): void {
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

  /** Counts a run's work from here on, and refuses what cannot be in time, as far as its windows were ever measured. */
  #admit({ base, adapter, tenant, deadline }: SegmentRequest, { task, shape }: PlannedRun): Admitted {
    const { network, now } = this.#options;
    const { roi_size: window, overlap } = task.inference;
    const { architecture } = base.manifest;
    const cost = network.windowMilliseconds({ architecture, window, kind: adapter?.kind ?? 'head' });
    const work = { tenant, milliseconds: (cost ?? 0) * windowCount(shape, window, overlap) };
    if (deadline !== undefined) checkInTime(work, deadline - now(), this.#admitted);
    this.#admitted.add(work);
    return work;
  }

  async #segmentOn(thread: VolumeThread, request: SegmentRequest, admitted: Admission): Promise<Segmented> {
    const { network, volumes } = this.#options;
    const { base, adapter, output, format, signal, tenant, deadline } = request;
    const { plan, files, work, clock } = admitted;
    const { channels, classes, shape } = plan;
    const task = adapter?.manifest ?? base.manifest;
    const maxVoxels = plan.inputVoxels;
    const turn = async <T>(step: () => Promise<T>): Promise<T> => {
      const begin = async () => {
        clock.end('queue');
        return await step();
      };
      return await volumes.turn(tenant, begin, signal);
    };
    const { inputVoxels } = await turn(async () => await thread.decode({ files, task, maxVoxels }, signal));
    clock.end('decode');
    request.onDecoded?.();
    const { volume } = await turn(async () => await thread.prepare(signal));
    clock.end('preprocess');
    const { roi_size: window, overlap, blend } = task.inference;
    const planned = work.milliseconds;
    const onProgress = (done: number, total: number) => {
      work.milliseconds = planned * (1 - done / total);
      request.onProgress?.(done, total);
    };
    const sliding = { window, overlap, blend, volume, channels, classes, shape, decision: decisionOf(task, output) };
    const { decided, windows, timings } = await network.run(
      { runId: request.runId, base: base.digest, adapter, ...sliding },
      { tenant, deadline, signal, onProgress },
    );
    clock.split('queue', { fuse: timings.fuse, infer: timings.infer });
    const sources = { adapter: adapter?.digest ?? null, base: base.digest };
    const onGrid = onGridOf(decided, classes);
    const answer = await turn(async () => await thread.answer({ onGrid, format, ...sources }, signal));
    clock.split('postprocess', { encode: answer.encode });
    const statistics = decided.kind === 'labels' ? decided.statistics : null;
    const report = runReport(task.labels, answer.findings, statistics);
    return { body: answer.body, voxels: inputVoxels, windows, report, timings: clock.timings };
  }
}

interface Admission {
  readonly plan: PlannedRun;
  readonly files: readonly Uint8Array[];
  readonly work: Admitted;
  readonly clock: PhaseClock;
}

function onGridOf(decided: Decided, classes: number): OnGrid {
  if (decided.kind === 'labels') return { output: 'labels', labels: decided.labels };
  return { output: 'probabilities', probabilities: decided.values, classes };
}
