import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const PYTHON = process.env['PDORA_PYTHON'] ?? 'python3';

/** How a script of this folder is run in the Python that `PDORA_PYTHON` names, with the trainer at hand. */
export function pythonCommand(script: string, words: readonly (string | number)[]) {
  const path = new URL(script, import.meta.url).pathname;
  const trainer = new URL('../../trainer', import.meta.url).pathname;
  const env = { ...process.env, PYTHONPATH: trainer, PYTHONWARNINGS: 'ignore' };
  return { file: PYTHON, words: [path, ...words.map(String)], env };
}

/** Runs a script to its end; what it printed. */
export async function runPython(script: string, words: readonly (string | number)[]): Promise<string> {
  const { file, words: all, env } = pythonCommand(script, words);
  const { stdout } = await promisify(execFile)(file, all, { env });
  return stdout.trim();
}
