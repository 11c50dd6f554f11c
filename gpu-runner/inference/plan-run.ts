import { headChannels } from '../../schemas/manifest.ts';
import { planGrid } from '../volume/grid-plan.ts';
import { readGrid } from '../volume/read-image.ts';
import { checkSameGrid } from '../volume/same-grid.ts';
import { voxelCount } from '../volume/volume.ts';
import { checkRun, inputVoxelsMax, type PlannedRun } from './limits.ts';
import type { Output, Task } from './volume-work.ts';

/**
 * What a run will cost, by the files' headers alone. Throws `invalid_volume` for what a header says and for what this
 * machine cannot hold, and `grid_mismatch` where the files lie on several grids.
 */
export async function planRun(
  files: readonly Uint8Array[],
  task: Task,
  output: Output,
  memoryBytes: number,
): Promise<PlannedRun> {
  const [channels, classes] = [files.length, headChannels(task)];
  const most = inputVoxelsMax(memoryBytes, channels);
  const grids = await Promise.all(files.map(async (file) => await readGrid(file, most)));
  const [grid] = grids;
  if (grid === undefined) throw new RangeError('no file to plan for');
  checkSameGrid(grids, task.channels);
  const { shape } = planGrid(grid, task.preprocessing);
  const inputVoxels = voxelCount(grid.shape);
  const run = { inputVoxels, gridVoxels: voxelCount(shape), channels, classes, output, shape, task };
  checkRun(run, memoryBytes);
  return run;
}
