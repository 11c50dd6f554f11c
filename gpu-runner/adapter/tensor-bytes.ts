/// <reference lib="esnext.float16" />
import type { TensorInfo } from '../../schemas/safetensors.ts';

/**
 * One tensor of a safetensors file as float32 in an array of its own, so that the file's bytes can be freed.
 * F16 and BF16 are widened without loss. Offsets need no alignment. The host is little-endian, as the file is.
 */
export function decodeTensor(file: Uint8Array, { dtype, begin, end }: TensorInfo): Float32Array {
  // A copy whatever subclass the file is: Buffer's own slice() would share the memory.
  const { buffer } = new Uint8Array(file.subarray(begin, end));
  if (dtype === 'F32') return new Float32Array(buffer);
  return dtype === 'F16' ? widenFloat16(new Uint16Array(buffer)) : widenBfloat16(new Uint16Array(buffer));
}

/** Every float16 as a float32, by its bits: a conversion by Float16Array takes ten times as long. */
let wide: Float32Array | undefined;

function widenFloat16(halves: Uint16Array): Float32Array {
  wide ??= new Float32Array(new Float16Array(Uint16Array.from({ length: 2 ** 16 }, (_, bits) => bits).buffer));
  const values = new Float32Array(halves.length);
  for (let i = 0; i < halves.length; i++) values[i] = wide[halves[i] ?? 0] ?? 0;
  return values;
}

/** bfloat16 is the upper half of a float32. */
function widenBfloat16(halves: Uint16Array): Float32Array {
  const words = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) words[i] = (halves[i] ?? 0) << 16;
  return new Float32Array(words.buffer);
}

/** Flat index of the first NaN or infinity, or -1. */
export function firstNotFinite(values: ArrayLike<number>): number {
  return values instanceof Float32Array ? firstOf(values) : firstOfAny(values);
}

/** For the one kind of array that almost all are of, so that it is compiled for that. */
function firstOf(values: Float32Array): number {
  for (let i = 0; i < values.length; i++) {
    const value = values[i] ?? 0;
    if (value - value !== 0) return i;
  }
  return -1;
}

function firstOfAny(values: ArrayLike<number>): number {
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) return i;
  }
  return -1;
}
