import { at } from './affine.ts';
import { gzipNifti } from './nifti-write.ts';
import { copyView, viewOf } from './view.ts';
import { type Affine, type Numbers, type Vec3, voxelCount } from './volume.ts';
import { toFortranOrder } from './voxel-order.ts';

const TYPES = {
  uint8: { name: 'unsigned char', array: Uint8Array },
  uint16: { name: 'unsigned short', array: Uint16Array },
  float32: { name: 'float', array: Float32Array },
} as const;

export interface NrrdContent {
  readonly shape: Vec3;
  readonly affine: Affine;
  readonly type: keyof typeof TYPES;
  /** C order `[i, j, k]`, or `[i, j, k, channel]` with `channels`, which makes the file 4-D with a list as its fastest axis. */
  readonly data: ArrayLike<number>;
  readonly channels?: number;
  readonly keyValues: readonly (readonly [key: string, value: string])[];
}

/**
 * A NRRD file with gzipped voxels in the order of the input's, its space in left-posterior-superior millimetres with
 * every digit of the affine. Teem's version 4 knows spaces; a list is the fastest axis, where ITK and Slicer look for it.
 */
export async function encodeNrrd(content: NrrdContent): Promise<Uint8Array> {
  const voxels = voxelsOf(content);
  const packing = content.type === 'float32' ? 'digits' : 'labels';
  const packed = await gzipNifti(new Uint8Array(voxels.buffer, voxels.byteOffset, voxels.byteLength), packing);
  const header = new TextEncoder().encode(headerOf(content));
  const file = new Uint8Array(header.length + packed.length);
  file.set(header);
  file.set(packed, header.length);
  return file;
}

function headerOf({ shape, affine, type, channels, keyValues }: NrrdContent): string {
  const list = channels !== undefined;
  const directions = [0, 1, 2].map((column) => vector(affine, column));
  const lines = [
    'NRRD0004',
    `type: ${TYPES[type].name}`,
    `dimension: ${list ? 4 : 3}`,
    'space: left-posterior-superior',
    `sizes: ${[...(list ? [channels] : []), ...shape].join(' ')}`,
    `space directions: ${[...(list ? ['none'] : []), ...directions].join(' ')}`,
    `kinds: ${list ? 'list ' : ''}domain domain domain`,
    'endian: little',
    'encoding: gzip',
    'space units: "mm" "mm" "mm"',
    `space origin: ${vector(affine, 3)}`,
    ...keyValues.map(([key, value]) => `${key}:=${oneLine(value)}`),
  ];
  return `${lines.join('\n')}\n\n`;
}

/** A column of the affine, from RAS+ to LPS+. */
function vector(affine: Affine, column: number): string {
  return `(${-at(affine, 0, column)},${-at(affine, 1, column)},${at(affine, 2, column)})`;
}

/** As the specification's section 3 has it, so that a value stays on its line. */
function oneLine(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\r', '').replaceAll('\n', '\\n');
}

function voxelsOf({ shape, type, data, channels }: NrrdContent): Uint8Array | Uint16Array | Float32Array {
  const { array } = TYPES[type];
  const voxels = new array(voxelCount(shape) * (channels ?? 1));
  if (channels === undefined) toFortranOrder(data, voxels, shape, 1);
  else toListOrder(data, voxels, shape, channels);
  return voxels;
}

/** Copies C order `[i, j, k, channel]` to the channel fastest, then i. */
function toListOrder(from: Numbers, to: Numbers, shape: Vec3, channels: number): void {
  const strides: Vec3 = [channels, channels * shape[0], channels * shape[0] * shape[1]];
  for (let c = 0; c < channels; c++) {
    copyView(viewOf(from, shape, channels, c), { data: to, shape, strides, first: c });
  }
}
