import { randomUUID } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { dicomSegmentation } from '../../workers/console/dicom/segmentation.ts';

/** For the trainer's tests: SERIES-FOLDER LABEL-MAP LABELS.json OUT. Exits 1 with the message where there can be none. */
const [folder = '', labelMap = '', labels = '', out = ''] = process.argv.slice(2);
const newUid = () => `2.25.${BigInt(`0x${randomUUID().replaceAll('-', '')}`)}`;

try {
  const names = await readdir(folder);
  const made = dicomSegmentation({
    series: await Promise.all(names.map((name) => readFile(join(folder, name)))),
    labelMap: await readFile(labelMap),
    labels: JSON.parse(await readFile(labels, 'utf8')),
    now: new Date(),
    newUid,
  });
  await writeFile(out, made);
} catch (error) {
  console.error(error instanceof Error ? `${error.name}: ${error.message}` : error);
  process.exitCode = 1;
}
