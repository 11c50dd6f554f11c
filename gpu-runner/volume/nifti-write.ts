import { promisify } from 'node:util';
import { constants, gzip, type ZlibOptions } from 'node:zlib';
import { HeaderFields, LAYOUTS, type NiftiHeader } from './nifti-header.ts';
import { isForeign, swapBytes, toFortranOrder } from './voxel-order.ts';

const DATATYPES = {
  uint8: { code: 2, array: Uint8Array },
  int16: { code: 4, array: Int16Array },
  float32: { code: 16, array: Float32Array },
  uint16: { code: 512, array: Uint16Array },
} as const;

/** Extensions are padded to this many bytes (nifti1.h). */
const EXTENSION_STEP = 16;
/** The code of an extension in plain text: NIFTI_ECODE_COMMENT. */
const COMMENT = 6;

/**
 * An uncompressed `.nii` file on the grid of `header`, in its version and byte order; slope 1, intercept 0, all text fields empty.
 *
 * @param image.data C order `[i, j, k]`, or `[i, j, k, channel]` with `channels`, which makes the file 4-D
 * @param image.intent NIfTI's intent code, 1002 for label maps; 0 by default
 * @param image.extension text of one extension with code 6
 * @throws RangeError where `data` has another length than the grid asks for
 */
export function encodeNifti(image: {
  readonly header: NiftiHeader;
  readonly datatype: keyof typeof DATATYPES;
  readonly data: ArrayLike<number>;
  readonly channels?: number;
  readonly intent?: number;
  readonly extension?: string;
}): Uint8Array {
  const { header, data } = image;
  const layout = LAYOUTS[header.version];
  const channels = image.channels ?? 1;
  const { code, array } = DATATYPES[image.datatype];
  const extension = image.extension === undefined ? new Uint8Array(0) : encodeExtension(image.extension, header);
  const offset = layout.bytes + 4 + extension.length;
  const bytes = array.BYTES_PER_ELEMENT;
  const file = new Uint8Array(offset + data.length * bytes);

  file.set(header.grid);
  file.set(layout.magic, layout.magicOffset);
  const fields = new HeaderFields(file, header.version, header.littleEndian);
  fields.set('sizeof_hdr', [layout.bytes]);
  fields.set('dim', [image.channels === undefined ? 3 : 4]);
  fields.set('dim', [channels, 1, 1, 1], 4);
  fields.set('pixdim', [1, 1, 1, 1], 4);
  fields.set('intent_code', [image.intent ?? 0]);
  fields.set('datatype', [code]);
  fields.set('bitpix', [bytes * 8]);
  fields.set('vox_offset', [offset]);
  fields.set('scl_slope', [1]);
  fields.set('scl_inter', [0]);
  if (extension.length > 0) file[layout.bytes] = 1;
  file.set(extension, layout.bytes + 4);

  const voxels = new array(file.buffer, offset, data.length);
  toFortranOrder(data, voxels, header.shape, channels);
  if (isForeign(header.littleEndian)) swapBytes(file.subarray(offset), bytes);
  return file;
}

function encodeExtension(text: string, header: NiftiHeader): Uint8Array {
  const content = new TextEncoder().encode(text);
  const size = Math.ceil((content.length + 8) / EXTENSION_STEP) * EXTENSION_STEP;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  view.setInt32(0, size, header.littleEndian);
  view.setInt32(4, COMMENT, header.littleEndian);
  out.set(content, 8);
  return out;
}

/**
 * Of long runs of one byte, as label maps have them, zlib's search for runs alone makes as little in a fifth of the
 * time (512 x 512 x 300 voxels: 0.69 MB in 66 ms; the full search at level 6: 0.70 MB in 323 ms). Digits hardly
 * shrink, however long one tries.
 */
const GZIP: Readonly<Record<'image' | 'labels' | 'digits', ZlibOptions>> = {
  image: { level: 6 },
  labels: { level: 6, strategy: constants.Z_RLE },
  digits: { level: 1 },
};

/** Gzip with time 0, so that the same volume always gives the same bytes. */
export async function gzipNifti(nii: Uint8Array, content: keyof typeof GZIP = 'image'): Promise<Uint8Array> {
  return await promisify<Uint8Array, ZlibOptions, Buffer>(gzip)(nii, GZIP[content]);
}
