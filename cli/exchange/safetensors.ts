import { readFile } from 'node:fs/promises';
import type { Tensor } from '../../gpu-runner/adapter/compiled.ts';
import { decodeTensor, firstNotFinite } from '../../gpu-runner/adapter/tensor-bytes.ts';
import { headerLength, readHeader } from '../../schemas/safetensors.ts';
import { CliError } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import { inWords } from '../verdict.ts';

/** Any safetensors file: every float tensor as float32, and the names of the others with their dtype. */
export interface TensorFile {
  readonly tensors: ReadonlyMap<string, Tensor>;
  readonly foreign: ReadonlyMap<string, string>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** Throws `invalid_file` where it is not safetensors or holds a value that is not finite. */
export async function readTensorFile(path: string): Promise<TensorFile> {
  await checkInputFile(path);
  const bytes = await readFile(path);
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength);
  const header = length.ok ? readHeader(bytes.subarray(0, length.value), bytes.byteLength) : length;
  if (!header.ok) throw new CliError('invalid_file', `${path}: ${header.error.map(inWords).join('; ')}`);
  const tensors = new Map<string, Tensor>();
  for (const [name, info] of header.value.tensors) {
    const data = decodeTensor(bytes, info);
    if (firstNotFinite(data) >= 0)
      throw new CliError('invalid_file', `${path}: ${name} holds a value that is not finite`);
    tensors.set(name, { shape: info.shape, data });
  }
  return { tensors, foreign: header.value.foreign, metadata: header.value.metadata };
}

/** A tensor to write: float32, or int64 such as torch's index buffers. */
export interface TensorToWrite {
  readonly name: string;
  readonly shape: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** A safetensors file as its library writes it: wider items first, so that every tensor lies aligned. */
export function encodeTensorFile(
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const ordered = tensors.toSorted((a, b) => b.data.BYTES_PER_ELEMENT - a.data.BYTES_PER_ELEMENT);
  const entries: [string, unknown][] = [['__metadata__', metadata]];
  let end = 0;
  for (const { name, shape, data } of ordered) {
    const dtype = data instanceof Float32Array ? 'F32' : 'I64';
    entries.push([name, { dtype, shape, data_offsets: [end, end + data.byteLength] }]);
    end += data.byteLength;
  }
  const json = new TextEncoder().encode(JSON.stringify(Object.fromEntries(entries)));
  const headerBytes = 8 + Math.ceil(json.length / 8) * 8;
  const file = new Uint8Array(headerBytes + end);
  new DataView(file.buffer).setBigUint64(0, BigInt(headerBytes - 8), true);
  file.fill(0x20, 8, headerBytes).set(json, 8);
  let at = headerBytes;
  for (const { data } of ordered) {
    file.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  return file;
}
