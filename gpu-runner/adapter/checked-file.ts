import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { type ErrorCode, type FormatProblem, ServiceError } from '../../schemas/errors.ts';
import { boundProblems } from '../../schemas/problems.ts';
import type { Result } from '../../schemas/result.ts';
import type { CheckedFile } from '../../schemas/rules.ts';
import { headerLength, readHeader, type SafetensorsHeader } from '../../schemas/safetensors.ts';
import type { Tensor } from './compiled.ts';
import { tensorNotFinite } from './rules.ts';
import { decodeTensor } from './tensor-bytes.ts';

/** The edge's rules over a file's header, as `checkBaseFile` and `checkAdapterFile` are. */
export type CheckHeader<T> = (headerBytes: Uint8Array, fileBytes: number) => Result<CheckedFile<T>, FormatProblem[]>;

export interface ReadFile<T> extends CheckedFile<T> {
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** `not_finite` alone: a file that breaks another rule of its header is thrown. */
  readonly problems: readonly FormatProblem[];
}

/**
 * Reads a whole file: the edge's rules on its header, and every tensor as float32. Gives way to other work between
 * tensors. Throws `code` with the problems of the header and, where the tensors can be found, of their values.
 */
export async function readCheckedFile<T>(
  bytes: Uint8Array,
  check: CheckHeader<T>,
  code: ErrorCode & `invalid_${string}`,
): Promise<ReadFile<T>> {
  const length = headerLength(bytes.subarray(0, 8), bytes.byteLength);
  if (!length.ok) throw invalidFile(code, length.error);
  const headerBytes = bytes.subarray(0, length.value);
  const checked = check(headerBytes, bytes.byteLength);
  if (checked.ok) return { ...checked.value, ...(await readTensors(bytes, checked.value.header)) };
  const header = readHeader(headerBytes, bytes.byteLength);
  const values = header.ok ? (await readTensors(bytes, header.value)).problems : [];
  throw invalidFile(code, [...checked.error, ...values]);
}

export function invalidFile(code: ErrorCode & `invalid_${string}`, problems: readonly FormatProblem[]): ServiceError {
  const first = problems[0];
  const at = first?.path ? ` (${first.path})` : '';
  return new ServiceError(code, `The file is not valid: ${first?.message ?? 'unknown'}${at}.`, {
    problems: boundProblems(problems),
  });
}

async function readTensors(
  bytes: Uint8Array,
  header: SafetensorsHeader,
): Promise<{ tensors: ReadonlyMap<string, Tensor>; problems: FormatProblem[] }> {
  const tensors = new Map<string, Tensor>();
  const problems: FormatProblem[] = [];
  for (const [name, info] of header.tensors) {
    const data = decodeTensor(bytes, info);
    const problem = tensorNotFinite(name, data);
    if (problem !== null) problems.push(problem);
    tensors.set(name, { shape: info.shape, data });
    await yieldToOthers();
  }
  return { tensors, problems };
}
