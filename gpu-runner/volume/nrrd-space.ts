import { affineOf, isRegular } from './affine.ts';
import { invalidVolume } from './invalid.ts';
import type { Affine } from './volume.ts';

/** Where the voxels of a NRRD file lie: which of its axes are those of space, and their place in RAS+ millimetres. */
export interface NrrdSpace {
  /** The three axes of the array that are axes of space, the fastest first. */
  readonly axes: readonly number[];
  readonly affine: Affine;
}

/** Signs that turn a space's axes into R, A and S. */
const SIGNS: ReadonlyMap<string, readonly [number, number, number]> = new Map([
  ['right-anterior-superior', [1, 1, 1]],
  ['ras', [1, 1, 1]],
  ['left-anterior-superior', [-1, 1, 1]],
  ['las', [-1, 1, 1]],
  ['left-posterior-superior', [-1, -1, 1]],
  ['lps', [-1, -1, 1]],
  // These say nothing of the patient's axes; ITK, and Slicer with it, reads them as left-posterior-superior.
  ['scanner-xyz', [-1, -1, 1]],
  ['3d-right-handed', [-1, -1, 1]],
  ['3d-left-handed', [-1, -1, 1]],
  ['', [-1, -1, 1]],
]);

const PLACES = ['space', 'spacedimension', 'spaceorigin', 'axismins', 'axismaxs'] as const;
/** Kinds of an axis that is one of space. */
const SPATIAL_KINDS: ReadonlySet<string> = new Set(['domain', 'space', '???', 'none']);

/**
 * The space of a header (NRRD specification, section 5). Without directions, an axis is as long as `spacings` says and
 * the first voxel lies at the origin.
 *
 * @throws ServiceError `invalid_volume` for a space that has not three axes, is not in millimetres or is singular
 */
export function spaceOf(fields: ReadonlyMap<string, string>, dimension: number): NrrdSpace {
  const name = (fields.get('space') ?? '').toLowerCase();
  const signs = SIGNS.get(name);
  if (signs === undefined || (fields.get('spacedimension') ?? '3') !== '3') {
    throw invalidVolume('The space of the NRRD header is not one of three dimensions without time.');
  }
  const units = fields.get('spaceunits') ?? '';
  if (!/^("(mm|millimeters?|millimetres?)?"\s*)*$/i.test(units)) {
    throw invalidVolume('The space units of the NRRD header are not millimetres.');
  }
  const directions = fields.get('spacedirections');
  const vectors = directions === undefined ? vectorsBySpacing(fields, dimension) : vectorsOf(directions);
  if (vectors.length !== dimension) {
    throw invalidVolume(`The NRRD header has ${dimension} axes, and directions or spacings of ${vectors.length}.`);
  }
  const axes = vectors.flatMap((vector, axis) => (vector === null ? [] : [axis]));
  if (axes.length !== 3) {
    throw invalidVolume(`The image has ${axes.length} axes of space; a volume has 3.`);
  }
  const columns = vectors.filter((vector) => vector !== null);
  const [origin = null] = fields.has('spaceorigin') ? vectorsOf(fields.get('spaceorigin') ?? '') : [[0, 0, 0]];
  const part = signs.flatMap((sign, row) => columns.map((column) => sign * (column[row] ?? Number.NaN)));
  const affine = affineOf(
    part,
    signs.map((sign, row) => sign * (origin?.[row] ?? Number.NaN)),
  );
  if (!isRegular(affine)) throw invalidVolume('The space directions or origin are singular or not finite.');
  return { axes, affine };
}

/** Vectors such as `(0.5,0,0)`, and null for `none`. */
function vectorsOf(text: string): (readonly number[] | null)[] {
  return [...text.matchAll(/none|\(([^()]*)\)/gi)].map(([, numbers]) =>
    numbers === undefined ? null : numbers.split(',').map((number) => numberOf(number)),
  );
}

/** Along the array's own axes, those of a list left out. */
function vectorsBySpacing(fields: ReadonlyMap<string, string>, dimension: number): (readonly number[] | null)[] {
  // As ITK refuses it.
  if (PLACES.some((name) => fields.has(name))) {
    throw invalidVolume('The NRRD header names a space or a place but no space directions.');
  }
  const kinds = fields.get('kinds')?.split(/\s+/);
  const spacings = fields.get('spacings')?.split(/\s+/);
  let row = -1;
  return Array.from({ length: spacings?.length ?? dimension }, (_, axis) => {
    if (!SPATIAL_KINDS.has((kinds?.[axis] ?? 'domain').toLowerCase())) return null;
    row += 1;
    const length = spacings === undefined ? 1 : numberOf(spacings[axis] ?? '');
    return [0, 1, 2].map((n) => (n === row ? length : 0));
  });
}

function numberOf(text: string): number {
  return text.trim() === '' ? Number.NaN : Number(text);
}
