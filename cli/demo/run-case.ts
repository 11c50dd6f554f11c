import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readNifti } from '../../gpu-runner/volume/nifti-read.ts';
import type { Client } from '../client.ts';
import type { Made } from '../made.ts';
import { writeAtomically } from '../output.ts';
import { makePhantom } from '../phantom/phantom.ts';
import { IMAGE_FILE, writePhantom } from '../phantom/write.ts';
import { bodyOf } from '../segment-body.ts';
import { segmentRemotely } from '../segment-remote.ts';
import type { Canvas } from './canvas.ts';
import type { Case } from './cases.ts';
import { dice } from './dice.ts';
import { drawPicture } from './picture.ts';
import type { Customer } from './tenants.ts';

const LABEL_FILE = 'labels.nii.gz';
const SWAPPED_FILE = 'labels-swapped.nii.gz';

export interface Scored {
  readonly label: string;
  readonly dice: number;
}

export interface CaseResult {
  readonly scores: readonly Scored[];
  readonly made: Made;
  readonly milliseconds: number;
  readonly picture: Canvas;
  readonly labelFile: string;
}

/** Where the files of a case are. */
export function folderOf(output: string, { name }: Case): string {
  return join(output, name);
}

/** Makes the case's head and writes its image and truth. */
export async function prepareCase(output: string, one: Case): Promise<void> {
  const folder = folderOf(output, one);
  await mkdir(folder, { recursive: true });
  await writePhantom(folder, makePhantom(one.phantom));
}

/** Segments a case by adapter ID with the customer's own key, scores it against the truth and draws it. */
export async function runCase(output: string, one: Case, customer: Customer): Promise<CaseResult> {
  const folder = folderOf(output, one);
  const labelFile = join(folder, LABEL_FILE);
  const began = performance.now();
  const made = await segmentCase(output, one, customer.client, one.task.adapter, LABEL_FILE);
  const milliseconds = performance.now() - began;
  const [image, truth, found] = await Promise.all(
    [join(folder, IMAGE_FILE), join(folder, one.task.truthFile), labelFile].map(
      async (file) => (await readNifti(await readFile(file))).volume,
    ),
  );
  if (image === undefined || truth === undefined || found === undefined) throw new Error('a case has three volumes');
  const scores = customer.labels
    .filter(({ value }) => value !== 0)
    .map(({ value, name }) => ({ label: name, dice: dice(found.data, truth.data, (label) => label === value) }));
  const title = `${one.name}  ${scores.map((score) => `Dice ${score.dice.toFixed(3)}`).join('  ')}`;
  const picture = drawPicture({ image, truth, found, title, labels: customer.labels });
  await writeAtomically(join(folder, 'picture.png'), picture.toPng());
  return { scores, made, milliseconds, picture, labelFile };
}

/** The same case by another adapter: Dice of everything it marks against everything it should have marked. */
export async function scoreSwapped(output: string, one: Case, admin: Client, adapter: string): Promise<number> {
  const folder = folderOf(output, one);
  await segmentCase(output, one, admin, adapter, SWAPPED_FILE);
  const found = await readNifti(await readFile(join(folder, SWAPPED_FILE)));
  const truth = await readNifti(await readFile(join(folder, one.task.truthFile)));
  return dice(found.volume.data, truth.volume.data, (label) => label !== 0);
}

/** Segments a case's image into a file beside it. */
export async function segmentCase(
  output: string,
  one: Case,
  client: Client,
  adapter: string,
  file: string,
): Promise<Made> {
  const folder = folderOf(output, one);
  const body = await bodyOf([{ channel: null, path: join(folder, IMAGE_FILE) }]);
  return await segmentRemotely(client, { body, adapter, output: join(folder, file) });
}
