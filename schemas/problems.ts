import type { FormatCode, FormatProblem } from './errors.ts';
import { PROBLEMS_MAX } from './limits.ts';

const PATH_MAX_CHARACTERS = 256;
const PREVIEW_MAX_CHARACTERS = 80;

/** A problem whose path, which may be a name out of the file, has a bounded length. */
export function problem(code: FormatCode, path: string, message: string): FormatProblem {
  return { code, path: clip(path, PATH_MAX_CHARACTERS), message };
}

/** A value out of the file as a message shows it: JSON, cut where it is long. */
export function preview(value: unknown): string {
  return value === undefined ? 'nothing' : clip(JSON.stringify(value), PREVIEW_MAX_CHARACTERS);
}

/** The first `PROBLEMS_MAX` problems and, where there are more, one that says how many. */
export function boundProblems(problems: readonly FormatProblem[]): FormatProblem[] {
  const next = problems[PROBLEMS_MAX];
  if (next === undefined) return [...problems];
  const left = problems.length - PROBLEMS_MAX;
  return [...problems.slice(0, PROBLEMS_MAX), problem(next.code, '', `and ${left} more problems, from here on`)];
}

function clip(text: string, characters: number): string {
  return text.length <= characters ? text : `${text.slice(0, characters).toWellFormed()}…`;
}
