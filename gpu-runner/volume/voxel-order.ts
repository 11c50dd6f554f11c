import { endianness } from 'node:os';
import type { Numbers, Vec3 } from './volume.ts';

/** Neighbouring i are copied together, so that both sides of a transposition stay in the processor's cache. */
const BLOCK = 16;

/** Copies C order `[i, j, k, channel]` (channel fastest) to NIfTI's order (i fastest, channel slowest). */
export function toFortranOrder(from: ArrayLike<number>, to: Numbers, [ni, nj, nk]: Vec3, channels: number): void {
  if (from.length !== ni * nj * nk * channels || to.length !== from.length) {
    throw new RangeError(`${from.length} values do not fill ${ni} x ${nj} x ${nk} voxels of ${channels}`);
  }
  for (let c = 0; c < channels; c++) {
    for (let j = 0; j < nj; j++) {
      for (let first = 0; first < ni; first += BLOCK) {
        const last = Math.min(first + BLOCK, ni);
        for (let k = 0; k < nk; k++) {
          for (let i = first; i < last; i++) {
            to[((c * nk + k) * nj + j) * ni + i] = from[((i * nj + j) * nk + k) * channels + c] ?? 0;
          }
        }
      }
    }
  }
}

/** Copies NIfTI's order (i fastest) to C order `[i, j, k]`. */
export function toCOrder(from: ArrayLike<number>, to: Numbers, [ni, nj, nk]: Vec3): void {
  for (let j = 0; j < nj; j++) {
    for (let first = 0; first < ni; first += BLOCK) {
      const last = Math.min(first + BLOCK, ni);
      for (let k = 0; k < nk; k++) {
        for (let i = first; i < last; i++) to[(i * nj + j) * nk + k] = from[(k * nj + j) * ni + i] ?? 0;
      }
    }
  }
}

/** Turns the bytes of each number of `size` bytes around, in place. */
export function swapBytes(bytes: Uint8Array, size: number): void {
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (size === 2) buffer.swap16();
  if (size === 4) buffer.swap32();
  if (size === 8) buffer.swap64();
}

/** Whether numbers in a file of this byte order must be turned around to be read here. */
export function isForeign(littleEndian: boolean): boolean {
  return littleEndian !== (endianness() === 'LE');
}
