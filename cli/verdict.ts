import type { FormatProblem } from '../schemas/errors.ts';
import { CliError } from './failure.ts';
import { print, table } from './print.ts';

/** Prints every problem of a file on stdout and gives the failure that ends the command. */
export function invalid(
  code: 'invalid_adapter' | 'invalid_base',
  file: string,
  problems: readonly FormatProblem[],
): CliError {
  print(table(problems.map((p) => [p.code, p.path, p.message])));
  const count = problems.length === 1 ? '1 problem' : `${problems.length} problems`;
  return new CliError(code, `${file} has ${count}`);
}

/** A problem in running text. */
export function inWords({ code, path, message }: { code: string; path: string; message: string }): string {
  return `${code}${path === '' ? '' : ` at ${path}`}: ${message}`;
}
