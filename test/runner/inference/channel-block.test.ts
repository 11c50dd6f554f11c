import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { channelBlock } from '../../../gpu-runner/inference/channel-block.ts';

const CPU = '/proc/cpuinfo';

test.runIf(process.arch === 'x64' && existsSync(CPU))('a block is a vector of the processor', async () => {
  const flags = new Set(/^flags\s*:(.*)$/m.exec(readFileSync(CPU, 'utf8'))?.[1]?.split(' '));
  expect(await channelBlock()).toBe(flags.has('avx512f') ? 16 : 8);
});
