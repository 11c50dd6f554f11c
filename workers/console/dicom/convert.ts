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
  f(name: string): Command;
  run(): Promise<File[]>;
}

/** Unbundled: it finds its worker and its WASM by its own address. */
const CONVERTER = '/console/dcm2niix/index.jpeg.js';

/**
 * One NIfTI file for each series of DICOM files, by dcm2niix in a worker of this browser, named by number and description
 * of the series. Throws `invalid_volume` where nothing could be converted.
 */
export async function convertSeries(files: readonly File[]): Promise<File[]> {
  const { Dcm2niix }: { Dcm2niix: new () => Converter } = await import(CONVERTER);
  const converter = new Dcm2niix();
  try {
    await converter.init();
    const made = await converter.input(flat(files)).z('n').b('n').f('%s %d').run();
    const volumes = trueToSpace(made.filter(({ name }) => name.endsWith('.nii')));
    if (volumes.length > 0) return volumes;
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

/** Files of one name in several folders would replace each other. */
function flat(files: readonly File[]): File[] {
  return files.map((file, n) => new File([file], `${n}.dcm`));
}
