import { invalidVolume } from './invalid.ts';

/** The fields of a NRRD header, and where it ends. Key/value pairs and comments are passed over: they can name a patient. */
export interface NrrdFields {
  /** By their names in small letters, without spaces. */
  readonly fields: ReadonlyMap<string, string>;
  /** Bytes of the header, the empty line that ends it among them. */
  readonly bytes: number;
}

const MAGIC = [0x4e, 0x52, 0x52, 0x44];
/** Slicer writes some lines a segment; no header needs more than this. */
const HEADER_MAX_BYTES = 2 ** 20;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

/** The fields that say what the voxels are and where they lie; others are not needed to read them. */
const NAMES: ReadonlySet<string> = new Set([
  'type',
  'dimension',
  'sizes',
  'encoding',
  'endian',
  'kinds',
  'space',
  'spacedimension',
  'spacedirections',
  'spaceorigin',
  'spaceunits',
  'spacings',
  'axismins',
  'axismaxs',
  'lineskip',
  'byteskip',
  'datafile',
]);

/** Whether a file begins as NRRD files do. */
export function isNrrd(file: Uint8Array): boolean {
  return MAGIC.every((byte, n) => file[n] === byte);
}

/**
 * Reads a header's lines by the NRRD specification (teem.sourceforge.net/nrrd/format.html, sections 1 to 3).
 *
 * @throws ServiceError `invalid_volume` where the header has no end, names no version that there is, or a field twice
 */
export function readFields(file: Uint8Array): NrrdFields {
  const bytes = headerBytes(file);
  const [magic = '', ...lines] = new TextDecoder().decode(file.subarray(0, bytes)).split(/\r?\n/);
  if (!/^NRRD000[1-5]$/.test(magic)) throw invalidVolume('Not a NRRD file of a version from 1 to 5.');
  const fields = new Map<string, string>();
  for (const line of lines) {
    const [, given = '', value = ''] = /^([^:#]+): (.*)$/.exec(line) ?? [];
    const name = given.replaceAll(' ', '').toLowerCase();
    if (!NAMES.has(name)) continue;
    if (fields.has(name)) throw invalidVolume(`The NRRD header has the field ${given} twice.`);
    fields.set(name, value.trim());
  }
  return { fields, bytes };
}

/** Up to the first empty line and with it. */
function headerBytes(file: Uint8Array): number {
  let line = 0;
  for (let at = 0; at < Math.min(file.length, HEADER_MAX_BYTES); at++) {
    if (file[at] !== LINE_FEED) continue;
    if (at === line || (at === line + 1 && file[line] === CARRIAGE_RETURN)) return at + 1;
    line = at + 1;
  }
  throw invalidVolume('The NRRD header has no end: expected an empty line, and the voxels after it in the same file.');
}
