import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

const FOLDER = process.env['PDORA_BENCH_GATE'];
const LOOKS_AGAIN_MS = 100;

/**
 * For machines that others use: where `PDORA_BENCH_GATE` names a folder, a benchmark that has made all it needs writes
 * `<name>.ready` there and waits for `<name>.go` before it measures.
 */
export async function untilQuiet(name: string): Promise<void> {
  if (FOLDER === undefined) return;
  writeFileSync(join(FOLDER, `${name}.ready`), '');
  while (!existsSync(join(FOLDER, `${name}.go`))) await pause(LOOKS_AGAIN_MS);
}
