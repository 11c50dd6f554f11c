import { join } from 'node:path';
import { type Command, Option } from 'commander';
import { wholeNumber } from '../failure.ts';
import { GRIDS, type GridName } from '../phantom/grid.ts';
import { makePhantom, type PhantomOptions } from '../phantom/phantom.ts';
import { writePhantom } from '../phantom/write.ts';
import { progressBar } from '../progress.ts';

interface Options {
  seed: number;
  count: number;
  metastases?: true;
  healthy?: true;
  grid: GridName;
  output: string;
}

const MAX_SEED = 2 ** 32 - 1;

/** `pdora phantom`: labelled heads out of nothing but a seed. */
export function addPhantom(program: Command): void {
  program
    .command('phantom')
    .description('make labelled 3D heads: image, tissue, metastasis and deep-structures as .nii.gz in DIR/seed-NNNN/')
    .requiredOption('--seed <n>', 'the first seed', wholeNumber(0, MAX_SEED))
    .option('--count <m>', 'how many, with seeds one after the other', wholeNumber(1, 100_000), 1)
    .addOption(new Option('--metastases', 'T1 with contrast agent and 1 to 5 metastases').conflicts('healthy'))
    .option('--healthy', 'T1 without lesions; with neither, the seed decides')
    .addOption(new Option('--grid <grid>', 'voxel grid of the scan').choices(GRIDS).default('2mm'))
    .requiredOption('-o, --output <dir>', 'where the folders go')
    .action(async (options: Options) => {
      const bar = progressBar('phantoms', options.count);
      try {
        for (let n = 0; n < options.count; n++) {
          const seed = options.seed + n;
          const kind = options.metastases ? 'metastases' : options.healthy ? 'healthy' : undefined;
          const what: PhantomOptions = { seed, grid: options.grid, ...(kind === undefined ? {} : { kind }) };
          await writePhantom(join(options.output, phantomFolder(seed)), makePhantom(what));
          bar.update(n + 1);
        }
      } finally {
        bar.stop();
      }
    });
}

/** `seed-0007` for 7. */
export function phantomFolder(seed: number): string {
  return `seed-${String(seed).padStart(4, '0')}`;
}
