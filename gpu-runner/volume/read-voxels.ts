import { ByteReader } from './byte-reader.ts';
import { invalidVolume } from './invalid.ts';
import type { Datatype } from './nifti-datatypes.ts';
import { Placer } from './placer.ts';
import { type Vec3, type Voxels, voxelCount } from './volume.ts';

/** How voxels lie in a file, the first axis fastest. */
export interface VoxelLayout {
  readonly shape: Vec3;
  readonly datatype: Datatype;
  readonly littleEndian: boolean;
  /** Where they begin in the unpacked content. */
  readonly offset: number;
  readonly slope: number;
  readonly intercept: number;
}

const BLOCK_VOXELS = 2 ** 22;
/** Some writers pad their files; more than this after the voxels is another thing than the header says. */
const TRAILING_MAX_BYTES = 2 ** 20;
/** Scans shrink two- to tenfold. What shrinks more than this holds no image, and would cost far more than it cost to send. */
const GZIP_RATIO_MAX = 200;
const GZIP_FREE_BYTES = 64 * 2 ** 20;
/** Gzipped volumes beyond this are unpacked once for their length alone, before anything of their size is allocated. */
const TRUSTED_VOXELS = 2 ** 24;

/** Refuses, before anything is allocated for it, what the file cannot hold. */
export async function checkPromise(layout: VoxelLayout, file: Uint8Array, gzipped: boolean): Promise<void> {
  const voxels = voxelCount(layout.shape);
  const promised = layout.offset + voxels * layout.datatype.bytes;
  if (!gzipped) {
    if (promised > file.length)
      throw invalidVolume(`The header promises ${promised} bytes, the file has ${file.length}.`);
    return;
  }
  if (promised > file.length * GZIP_RATIO_MAX + GZIP_FREE_BYTES) {
    throw invalidVolume(`The header promises ${promised} bytes of a gzip file of ${file.length}: that is no image.`);
  }
  if (voxels <= TRUSTED_VOXELS) return;
  const reader = new ByteReader(file, gzipped);
  try {
    const held = await reader.skip(promised);
    if (held < promised) throw invalidVolume(`The header promises ${promised} bytes, the file unpacks to ${held}.`);
  } finally {
    await reader.close();
  }
}

/**
 * Reads the voxels block by block into C order, and what is left of the content. Whole numbers of 8 or 16 bits without
 * scaling stay what they are, everything else becomes float32.
 *
 * @throws ServiceError `invalid_volume` where voxels are missing or not finite, or far more follows them
 */
export async function readVoxels(reader: ByteReader, layout: VoxelLayout): Promise<Voxels> {
  const { datatype, slope, intercept, shape } = layout;
  const total = voxelCount(shape);
  const whole = slope === 1 && intercept === 0 && datatype.small !== null;
  const out = whole ? datatype.small(total) : new Float32Array(total);
  const place = new Placer(out, shape);
  const buffer = new Uint8Array(blockVoxels(shape) * datatype.bytes);
  for (let done = 0; done < total; ) {
    const block = buffer.subarray(0, (total - done) * datatype.bytes);
    const got = await reader.fill(block);
    if (got < block.length) {
      throw invalidVolume(`The file ends after ${done + Math.floor(got / datatype.bytes)} of ${total} voxels.`);
    }
    const values = datatype.values(block, layout.littleEndian);
    place.put(values, whole ? null : { slope, intercept });
    done += values.length;
  }
  if ((await reader.skip(TRAILING_MAX_BYTES + 1)) > TRAILING_MAX_BYTES) {
    throw invalidVolume('The file holds far more data than its header says.');
  }
  return out;
}

/** Whole slices where they fit into a block, else a part of one. */
function blockVoxels([ni, nj, nk]: Vec3): number {
  const slice = ni * nj;
  return slice > BLOCK_VOXELS ? BLOCK_VOXELS : slice * Math.min(nk, Math.floor(BLOCK_VOXELS / slice));
}
