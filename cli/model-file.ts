import { open } from 'node:fs/promises';
import type { FormatProblem } from '../schemas/errors.ts';
import type { Result } from '../schemas/result.ts';
import { headerLength } from '../schemas/safetensors.ts';
import { checkInputFile } from './files.ts';

/** Applies a rule of the edge's to the header of a local file, reading no more than the header. */
export async function checkHeaderOf<T>(
  path: string,
  check: (headerBytes: Uint8Array, fileBytes: number) => Result<T, FormatProblem[]>,
): Promise<Result<T, FormatProblem[]>> {
  await checkInputFile(path);
  await using file = await open(path);
  const { size } = await file.stat();
  const first = await file.read(new Uint8Array(8), 0, 8, 0);
  const length = headerLength(first.buffer.subarray(0, first.bytesRead), size);
  if (!length.ok) return length;
  const { buffer, bytesRead } = await file.read(new Uint8Array(length.value), 0, length.value, 0);
  return check(buffer.subarray(0, bytesRead), size);
}
