import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { SegmentationError } from '../../workers/console/dicom/segmentation-error.ts';
import { parseJson } from '../client.ts';
import { type Label, labelsFileSchema, notedLabels } from '../dicom/noted-labels.ts';
import { readSeriesFolder } from '../dicom/read-series.ts';
import { CliError, usage } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import { checkOutputFolder, writeAtomically } from '../output.ts';
import { bytes, print, table } from '../print.ts';

interface Options {
  output: string;
  labels?: string;
}

/** `pdora dicom-seg`: a label map as DICOM, on the slices of the series that it was made of. */
export function addDicomSeg(program: Command): void {
  program
    .command('dicom-seg')
    .description('a label map as DICOM segmentation that refers to its series; without a server')
    .argument('<series>', 'the folder of the DICOM series that the image was made of')
    .argument('<label-map>', 'the label map of that image, .nii.gz')
    .requiredOption('-o, --output <out>', 'the segmentation, .dcm')
    .option('--labels <file>', 'what the values mean, JSON as in a manifest; by default as the label map says')
    .action(async (folder: string, labelMapPath: string, { output, labels: labelsPath }: Options) => {
      if (!output.endsWith('.dcm')) throw usage(`a DICOM segmentation is written as .dcm: ${output}`);
      await checkOutputFolder(output);
      for (const path of [labelMapPath, labelsPath ?? labelMapPath]) await checkInputFile(path);
      const { files, others } = await readSeriesFolder(folder);
      const labelMap = await readFile(labelMapPath);
      const labels = labelsPath === undefined ? labelsNotedIn(labelMap) : await readLabels(labelsPath);
      const made = await segmentationOf(files, labelMap, labels);
      await writeAtomically(output, made);
      print(
        table([
          ['output', output],
          ['size', bytes(made.length)],
          ['images', String(files.length)],
          ...(others === 0 ? [] : [['left out', `${others} files of the folder that are no DICOM images`]]),
          ['segments', labels.flatMap(({ value, name }) => (value === 0 ? [] : [name])).join(', ')],
        ]),
      );
    });
}

/** A UUID as a number (DICOM PS3.5, annex B.2). */
function newUid(): string {
  return `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;
}

async function segmentationOf(series: Uint8Array[], labelMap: Uint8Array, labels: Label[]): Promise<Uint8Array> {
  // Not with every command: it takes long to load.
  const { dicomSegmentation } = await import('../../workers/console/dicom/segmentation.ts');
  try {
    return dicomSegmentation({ series, labelMap, labels, now: new Date(), newUid });
  } catch (error) {
    if (error instanceof SegmentationError) throw new CliError('no_dicom_segmentation', error.message);
    throw error;
  }
}

function labelsNotedIn(labelMap: Uint8Array): Label[] {
  const labels = notedLabels(labelMap);
  if (labels !== null) return labels;
  throw usage('the label map does not say what its values mean: give --labels FILE, JSON as in a manifest');
}

async function readLabels(path: string): Promise<Label[]> {
  const labels = labelsFileSchema.safeParse(parseJson(await readFile(path, 'utf8')));
  if (labels.success) return labels.data;
  throw usage(`${path}: expected a JSON list of {"value", "name", "color"?, "code"?}`);
}
