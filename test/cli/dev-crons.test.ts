import { readFile } from 'node:fs/promises';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { fireCrons } from '../../cli/dev/crons.ts';
import { projectPath } from '../../cli/root.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

it('fires every cron of wrangler.toml, and none else, as often as it says', async () => {
  const text = await readFile(projectPath('wrangler.toml'), 'utf8');
  const crons: unknown = JSON.parse(/^crons = (.+)$/m.exec(text)?.[1] ?? 'null');
  expect(crons).toHaveLength(2);
  const fired = new Map<string, number>();
  fireCrons((cron) => fired.set(cron, (fired.get(cron) ?? 0) + 1));
  vi.advanceTimersByTime(60_000);
  expect([...fired.keys()]).toEqual(crons);
  vi.advanceTimersByTime(119 * 60_000);
  expect([...fired.values()]).toEqual([120, 2]);
});
