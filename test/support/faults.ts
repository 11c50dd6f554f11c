import type { FormatProblem } from '../../schemas/errors.ts';
import type { Result } from '../../schemas/result.ts';

/** What is wrong with a file, each as `code path`; empty where nothing is. */
export function faults(result: Result<unknown, readonly FormatProblem[]>): string[] {
  return result.ok ? [] : result.error.map((found) => `${found.code} ${found.path}`);
}

/** The value of a result that must be there. */
export function need<T>(result: Result<T, readonly FormatProblem[]>): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}
