import { ServiceError } from '../../schemas/errors.ts';
import { INPUT_GRID_MAX_VOXELS, WINDOWS_MAX } from '../../schemas/limits.ts';
import { type Vec3, voxelCount } from '../volume/volume.ts';
import type { Output, Task } from './volume-work.ts';
import { windowCount } from './windows.ts';

const BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * An answer before it is packed, with room for its header: Node's gzip counts what it is given in 32 bits, and silently
 * packs what is left beyond them.
 */
const ANSWER_MAX_BYTES = 2 ** 32 - 2 ** 20;

/** Voxels that each channel of the input may have at most, so that decoding alone stays within the memory. */
export function inputVoxelsMax(memoryBytes: number, channels: number): number {
  return Math.min(INPUT_GRID_MAX_VOXELS, Math.floor(memoryBytes / (channels * BYTES)));
}

/** What the cost of a run depends on. */
export interface PlannedRun {
  readonly inputVoxels: number;
  readonly gridVoxels: number;
  readonly channels: number;
  readonly classes: number;
  readonly output: Output;
  readonly shape: Vec3;
  readonly task: Pick<Task, 'inference' | 'regions'>;
}

/**
 * Bytes that the work on a volume holds at its largest, in whatever processes: the decoded input beside the prepared
 * volume; or that volume, the planes that are blended, the logits of a window, and what was decided on both grids, with
 * a copy for what is sent or packed. `docs/memory.md` derives it.
 */
export function workBytes(run: PlannedRun): number {
  const { inputVoxels, gridVoxels, channels, classes, shape, task } = run;
  const volume = BYTES * channels * gridVoxels;
  const planes = BYTES * (classes + 1) * Math.min(task.inference.roi_size[0], shape[0]) * shape[1] * shape[2];
  const logits = BYTES * classes * voxelCount(task.inference.roi_size);
  const decided = decidedBytes(run) * (gridVoxels + inputVoxels);
  return Math.max(BYTES * channels * inputVoxels + volume, volume + planes + logits + 2 * decided);
}

/** The same with the session's process beside this one: the volume and what was decided lie in both, and travel. */
export function runBytes(run: PlannedRun): number {
  const { gridVoxels, channels } = run;
  return workBytes(run) + 2 * BYTES * channels * gridVoxels + decidedBytes(run) * gridVoxels;
}

/** Of one voxel. Regions may have values beyond a byte however few they are. */
function decidedBytes({ classes, output, task }: PlannedRun): number {
  if (output === 'probabilities') return BYTES * classes;
  return Math.max(classes - 1, ...(task.regions ?? []).map(({ value }) => value)) > 255 ? 2 : 1;
}

/** Refuses, before anything is allocated for it, a run that this machine cannot hold or that would take no end of windows. */
export function checkRun(run: PlannedRun, memoryBytes: number): void {
  const { shape, task, inputVoxels, classes, output } = run;
  const size = shape.join(' x ');
  if (output === 'probabilities' && BYTES * classes * inputVoxels > ANSWER_MAX_BYTES) {
    const message = `Probabilities of ${classes} classes for ${inputVoxels} voxels take more than the ${megabytes(ANSWER_MAX_BYTES)} MB that an answer may have.`;
    throw new ServiceError('invalid_volume', message);
  }
  const bytes = runBytes(run);
  if (!(bytes <= memoryBytes)) {
    const message = `At the adapter's spacing the volume has ${size} voxels and needs ${megabytes(bytes)} MB; this runner has ${megabytes(memoryBytes)} MB.`;
    throw new ServiceError('invalid_volume', message);
  }
  const windows = windowCount(shape, task.inference.roi_size, task.inference.overlap);
  if (windows > WINDOWS_MAX) {
    const message = `A volume of ${size} voxels takes ${windows} of the adapter's windows; at most ${WINDOWS_MAX} are run.`;
    throw new ServiceError('invalid_volume', message);
  }
}

/** The windows an operator lets run, or null for any legal one. */
export type AllowedWindows = readonly Vec3[] | null;

/** Whether a window may run here. */
export function isAllowedWindow(roi: Vec3, allowed: AllowedWindows): boolean {
  return allowed === null || allowed.some((window) => window.every((side, axis) => side === roi[axis]));
}

function megabytes(bytes: number): number {
  return Math.ceil(bytes / 1e6);
}
