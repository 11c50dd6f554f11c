import { invalidVolume } from './invalid.ts';
import type { Voxels } from './volume.ts';
import { isForeign, swapBytes } from './voxel-order.ts';

/** How voxels of a datatype are read. */
export interface Datatype {
  readonly bytes: number;
  /** The numbers in `block`, which begins its buffer and is overwritten. */
  values(block: Uint8Array<ArrayBuffer>, littleEndian: boolean): ArrayLike<number>;
  /** An array for so many voxels that holds each of them as it is, where that takes less than float32. */
  readonly small: ((voxels: number) => Voxels) | null;
}

type TypedArray = new (buffer: ArrayBuffer, offset: number, length: number) => ArrayLike<number>;

function native(bytes: number, array: TypedArray, small: Datatype['small'] = null): Datatype {
  return {
    bytes,
    small,
    values: (block, littleEndian) => {
      if (isForeign(littleEndian)) swapBytes(block, bytes);
      return new array(block.buffer, 0, block.length / bytes);
    },
  };
}

/** Halves, because a BigInt a voxel is slow; the sum rounds once, as a conversion would. */
function long(high: 'getInt32' | 'getUint32'): Datatype {
  return {
    bytes: 8,
    small: null,
    values: ({ buffer, length }, littleEndian) => {
      const view = new DataView(buffer);
      const [atHigh, atLow] = littleEndian ? [4, 0] : [0, 4];
      const value = (at: number) =>
        view[high](at + atHigh, littleEndian) * 2 ** 32 + view.getUint32(at + atLow, littleEndian);
      return Float64Array.from({ length: length / 8 }, (_, n) => value(8 * n));
    },
  };
}

const READABLE: ReadonlyMap<number, Datatype> = new Map([
  [2, native(1, Uint8Array, (voxels) => new Uint8Array(voxels))],
  [256, native(1, Int8Array, (voxels) => new Int8Array(voxels))],
  [4, native(2, Int16Array, (voxels) => new Int16Array(voxels))],
  [512, native(2, Uint16Array, (voxels) => new Uint16Array(voxels))],
  [8, native(4, Int32Array)],
  [768, native(4, Uint32Array)],
  [1024, long('getInt32')],
  [1280, long('getUint32')],
  [16, native(4, Float32Array)],
  [64, native(8, Float64Array)],
]);

const REFUSED: ReadonlyMap<number, string> = new Map([
  [0, 'unknown'],
  [1, 'binary'],
  [32, 'complex64'],
  [128, 'RGB'],
  [1536, 'float128'],
  [1792, 'complex128'],
  [2048, 'complex256'],
  [2304, 'RGBA'],
]);

/**
 * The datatype with NIfTI's code.
 *
 * @throws ServiceError `invalid_volume` for what is not one real number a voxel
 */
export function datatypeOf(code: number): Datatype {
  const datatype = READABLE.get(code);
  if (datatype !== undefined) return datatype;
  const name = REFUSED.get(code);
  throw invalidVolume(
    `The datatype is ${name === undefined ? 'unknown' : name} (code ${code}); a volume has one number of 8 to 64 bits a voxel.`,
  );
}
