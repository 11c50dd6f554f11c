import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { readImage } from '../../gpu-runner/volume/read-image.ts';
import { checkSameGrid } from '../../gpu-runner/volume/same-grid.ts';
import { compareLabelMaps, type LabelComparison } from '../compare/compare.ts';
import { checkInputFile } from '../files.ts';
import { print, printJson, table } from '../print.ts';

const HEADS = ['label', 'Dice', 'HD95', 'volume A', 'volume B', 'difference'];

/** `pdora compare`: how far two label maps on one grid agree. */
export function addCompare(program: Command): void {
  program
    .command('compare')
    .description('Dice, HD95 and volumes of every label of two label maps on one grid')
    .argument('<a>', 'a label map, .nii or .nii.gz')
    .argument('<b>', 'another')
    .option('--json', 'as JSON')
    .action(async (a: string, b: string, options: { json?: true }) => {
      for (const path of [a, b]) await checkInputFile(path);
      const [first, second] = [await readImage(await readFile(a)), await readImage(await readFile(b))];
      checkSameGrid([first.volume, second.volume], ['A', 'B']);
      const labels = compareLabelMaps(first.volume, second.volume);
      if (options.json) printJson({ labels });
      else print(table([HEADS, ...labels.map(rowOf)]));
    });
}

function rowOf({ value, dice, hd95_mm, volume_ml, difference_ml }: LabelComparison): string[] {
  const sign = difference_ml > 0 ? '+' : '';
  return [
    String(value),
    dice.toFixed(4),
    hd95_mm === null ? '-' : `${hd95_mm.toFixed(2)} mm`,
    `${volume_ml.a.toFixed(3)} ml`,
    `${volume_ml.b.toFixed(3)} ml`,
    `${sign}${difference_ml.toFixed(3)} ml`,
  ];
}
