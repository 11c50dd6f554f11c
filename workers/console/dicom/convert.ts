import { Problem } from '../api/problem.ts';

/** What is used of @niivue/dcm2niix, which brings no types. */
interface Converter {
  readonly worker: { terminate(): void };
  init(): Promise<boolean>;
  input(files: readonly File[]): Command;
}

interface Command {
  z(compressed: 'n'): Command;
  b(sidecar: 'n'): Command;
  l(scaled: 'n'): Command;
  f(name: string): Command;
  run(): Promise<File[]>;
}

/** Unbundled: it finds its worker and its WASM by its own address. */
const CONVERTER = '/console/dcm2niix/index.jpeg.js';

/** A volume, and the UID of the series whose images it was made of. */
export interface Converted {
  /** NIfTI, named by number and description of the series. */
  readonly file: File;
  readonly uid: string;
}

/**
 * One NIfTI file for each series of DICOM files, by dcm2niix in a worker of this browser. Throws `invalid_volume` where
 * nothing could be converted.
 */
export async function convertSeries(files: readonly File[]): Promise<Converted[]> {
  const { Dcm2niix }: { Dcm2niix: new () => Converter } = await import(CONVERTER);
  const converter = new Dcm2niix();
  try {
    await converter.init();
    const made = await converter.input(flat(files)).z('n').b('n').l('n').f('%j %s %d').run();
    const volumes = made.filter(({ name }) => name.endsWith('.nii'));
    const placed = trueToSpace(volumes).map((file) => evenly(file, volumes, files));
    if (placed.length > 0) return await Promise.all(placed);
  } catch {
    // Its own message names files, and says no more than the one below.
  } finally {
    converter.worker.terminate();
  }
  throw new Problem(
    'invalid_volume',
    'None of these files could be converted. Expected NIfTI (.nii, .nii.gz), or DICOM images of one series or more.',
  );
}

/**
 * Of a series with unequal gaps, or with a tilted gantry, dcm2niix writes two files: the slices as if they were equally
 * far apart and upright, and, under a longer name, resampled to where they truly are.
 */
export function trueToSpace<T extends { readonly name: string }>(files: readonly T[]): T[] {
  const stem = ({ name }: T) => name.replace(/\.nii$/, '');
  return files.filter(
    (file) =>
      !files.some(
        (other) => /^_(Tilt|Eq)/.test(stem(other).slice(stem(file).length)) && stem(other).startsWith(stem(file)),
      ),
  );
}

/** Of a series with gaps, dcm2niix's own way would lose images at its end. */
async function evenly(file: File, volumes: readonly File[], dropped: readonly File[]): Promise<Converted> {
  const plain = volumes.find(({ name }) => file.name.startsWith(name.replace(/\.nii$/, '_Eq')));
  if (plain === undefined) return named(file);
  const { uid } = named(plain);
  const [{ fillGaps }, { filesOfSeries }] = await Promise.all([
    import('./fill-gaps.ts'),
    import('./files-of-series.ts'),
  ]);
  const filled = fillGaps(new Uint8Array(await plain.arrayBuffer()), await filesOfSeries({ uid, dropped }));
  return named(filled === null ? file : new File([filled], plain.name));
}

/** Takes the UID out of the name, where dcm2niix was told to write it; it writes a line for each blank. */
function named(file: File): Converted {
  const [, uid = '', name = ''] = /^([0-9.]*)[ _]*(.*)$/.exec(file.name) ?? [];
  const words = name.replace(/_*\.nii$/, '').replaceAll('_', ' ');
  return { file: new File([file], `${words}.nii`), uid };
}

/** Files of one name in several folders would replace each other. */
function flat(files: readonly File[]): File[] {
  return files.map((file, n) => new File([file], `${n}.dcm`));
}
