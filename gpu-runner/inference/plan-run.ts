import { headChannels } from '../../schemas/manifest.ts';
import { planGrid } from '../volume/grid-plan.ts';
import { readGrid } from '../volume/read-image.ts';
import { voxelCount } from '../volume/volume.ts';
import { checkRun, inputVoxelsMax, type PlannedRun } from './limits.ts';
import type { Output, Task } from './volume-work.ts';

/**
 * What a run will cost, by the first file's header alone: that the others lie on the same grid is seen when they are
 * decoded. Throws `invalid_volume` for what the header says, and for what this machine cannot hold.
 */
export async function planRun(
  files: readonly Uint8Array[],
  task: Task,
  output: Output,
  memoryBytes: number,
): Promise<PlannedRun> {
  const [first] = files;
  if (first === undefined) throw new RangeError('no file to plan for');
  const [channels, classes] = [files.length, headChannels(task)];
  const grid = await readGrid(first, inputVoxelsMax(memoryBytes, channels));
  const { shape } = planGrid(grid, task.preprocessing);
  const inputVoxels = voxelCount(grid.shape);
  const run = { inputVoxels, gridVoxels: voxelCount(shape), channels, classes, output, shape, task };
  checkRun(run, memoryBytes);
  return run;
}
