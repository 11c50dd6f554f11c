import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { describe } from 'vitest';

const root = resolve(process.env['PDORA_SHARED'] ?? '../shared');

/** Path of a file in the shared folder of golden results and real volumes. */
export function sharedPath(...parts: string[]): string {
  return resolve(root, ...parts);
}

/** A suite that needs the shared folder: skipped where it is absent, failing there when CI is set. */
export function describeShared(name: string, suite: () => void): void {
  describe.skipIf(!existsSync(root) && !process.env['CI'])(name, suite);
}
