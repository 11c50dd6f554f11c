import { invalidVolume } from './invalid.ts';

/** How one voxel of a datatype is read. */
export interface Datatype {
  readonly bytes: number;
  read(view: DataView, offset: number, littleEndian: boolean): number;
}

const READABLE: ReadonlyMap<number, Datatype> = new Map([
  [2, { bytes: 1, read: (v, o) => v.getUint8(o) }],
  [256, { bytes: 1, read: (v, o) => v.getInt8(o) }],
  [4, { bytes: 2, read: (v, o, le) => v.getInt16(o, le) }],
  [512, { bytes: 2, read: (v, o, le) => v.getUint16(o, le) }],
  [8, { bytes: 4, read: (v, o, le) => v.getInt32(o, le) }],
  [768, { bytes: 4, read: (v, o, le) => v.getUint32(o, le) }],
  // Halves, because a BigInt a voxel is slow; the sum rounds once, as a conversion would.
  [
    1024,
    { bytes: 8, read: (v, o, le) => v.getInt32(o + (le ? 4 : 0), le) * 2 ** 32 + v.getUint32(o + (le ? 0 : 4), le) },
  ],
  [
    1280,
    { bytes: 8, read: (v, o, le) => v.getUint32(o + (le ? 4 : 0), le) * 2 ** 32 + v.getUint32(o + (le ? 0 : 4), le) },
  ],
  [16, { bytes: 4, read: (v, o, le) => v.getFloat32(o, le) }],
  [64, { bytes: 8, read: (v, o, le) => v.getFloat64(o, le) }],
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
