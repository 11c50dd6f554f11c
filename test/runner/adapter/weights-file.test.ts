import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { readWeightsFile, writeWeightsFile } from '../../../gpu-runner/adapter/weights-file.ts';
import type { FeedableAdapter } from '../../../gpu-runner/network/feeds.ts';
import { hashedValues } from '../../support/network.ts';

/** Names with more bytes than characters, an empty shape, and more values than are written at once. */
const ADAPTER: FeedableAdapter = {
  kind: 'all',
  slots: new Map(
    ['première.weight', 'second.weight'].map((parameter, n) => {
      const [out, into, rank] = [5 + n, 7, 3 - n];
      const slot = { up: hashedValues(1 + n, [out * rank]), down: hashedValues(2, [rank * into]) };
      const scales = { cOut: hashedValues(3, [out]), cIn: hashedValues(4, [into]) };
      return [parameter, { parameter, rank, ...slot, ...scales }];
    }),
  ),
  replaced: new Map([
    ['scalar', { shape: [], data: Float32Array.of(-0) }],
    ['large', { shape: [3, 500_000], data: hashedValues(5, [1_500_000]) }],
    ['after.it', { shape: [2, 2], data: hashedValues(6, [2, 2]) }],
  ]),
};

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'weights-test-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

test('what is read is what was written, bit for bit, and nobody else may read it', async () => {
  const file = await writeWeightsFile(join(folder, 'a'), ADAPTER);
  expect(readWeightsFile(file)).toEqual(ADAPTER);
  expect(statSync(file.path).mode & 0o777).toBe(0o600);
  expect((await writeWeightsFile(join(folder, 'b'), ADAPTER)).crc32).toBe(file.crc32);
});

test('a file that was changed anywhere, cut or put in another’s place is not read', async () => {
  const file = await writeWeightsFile(join(folder, 'a'), ADAPTER);
  const bytes = await readFile(file.path);
  for (const at of [0, 10, bytes.length >> 1, bytes.length - 1]) {
    await writeFile(file.path, bytes.with(at, (bytes[at] ?? 0) ^ 1));
    expect(() => readWeightsFile(file)).toThrow('not what was written');
  }
  await writeFile(file.path, bytes.subarray(0, -4));
  expect(() => readWeightsFile(file)).toThrow('not what was written');
  const other = await writeWeightsFile(join(folder, 'b'), { ...ADAPTER, kind: 'head' });
  expect(() => readWeightsFile({ ...other, path: file.path })).toThrow('not what was written');
});

test('no file is written over', async () => {
  await writeWeightsFile(join(folder, 'a'), ADAPTER);
  await expect(writeWeightsFile(join(folder, 'a'), ADAPTER)).rejects.toThrow('EEXIST');
});
