import { readHeader } from '../../../schemas/safetensors.ts';
import { writeContainer } from '../../support/safetensors-file.ts';

const METADATA = '__metadata__';

/** Ways to break a good file in one place and keep the rest of it as it was. */

/** Changes the first F32 or F16 tensor whose name matches; F16 bytes are replaced by NaN, which is all that is needed. */
export function patchTensor(file: Uint8Array, name: RegExp, change: (data: Float32Array) => void): Uint8Array {
  const header = readHeader(file, file.byteLength);
  if (!header.ok) throw new Error('not a safetensors file');
  const tensor = [...header.value.tensors.values()].find((candidate) => name.test(candidate.name));
  if (tensor === undefined) throw new Error(`no tensor ${name.source}`);
  const damaged = new Uint8Array(file);
  if (tensor.dtype === 'F32') {
    const data = new Float32Array(damaged.slice(tensor.begin, tensor.end).buffer);
    change(data);
    damaged.set(new Uint8Array(data.buffer), tensor.begin);
  } else {
    damaged.fill(0xff, tensor.begin, tensor.end);
  }
  return damaged;
}

/** Writes the file with another manifest. */
export function patchManifest(file: Uint8Array, change: (manifest: Record<string, unknown>) => void): Uint8Array {
  const length = Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + length)));
  const manifest = JSON.parse(header[METADATA].manifest);
  change(manifest);
  header[METADATA].manifest = JSON.stringify(manifest);
  return writeContainer(JSON.stringify(header), [file.subarray(8 + length)]);
}
