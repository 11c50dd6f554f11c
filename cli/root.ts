import { resolve } from 'node:path';

/** The project's folder: the programs that `dev` starts and the demo's models lie there. */
export const PROJECT_ROOT = resolve(import.meta.dirname, '..');

/** A file of the project. */
export function projectPath(...parts: string[]): string {
  return resolve(PROJECT_ROOT, ...parts);
}
