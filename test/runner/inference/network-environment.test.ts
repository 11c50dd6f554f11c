import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { networkEnvironment } from '../../../gpu-runner/inference/network-environment.ts';

function tuned(tunables: string): string | undefined {
  return networkEnvironment({ GLIBC_TUNABLES: tunables })['GLIBC_TUNABLES'];
}

test('large pages are asked for beside what an operator tunes, and not where it says something of them', () => {
  expect(networkEnvironment({ PATH: '/bin' })).toEqual({
    PATH: '/bin',
    GLIBC_TUNABLES: 'glibc.malloc.hugetlb=1',
    NVIDIA_TF32_OVERRIDE: '0',
  });
  expect(tuned('glibc.malloc.check=1')).toBe('glibc.malloc.check=1:glibc.malloc.hugetlb=1');
  expect(tuned('glibc.malloc.hugetlb=0:glibc.malloc.check=1')).toBe('glibc.malloc.hugetlb=0:glibc.malloc.check=1');
});

const PAGES = '/sys/kernel/mm/transparent_hugepage/enabled';
const onRequest = existsSync(PAGES) && readFileSync(PAGES, 'utf8').includes('[madvise]');

/** The kernel marks memory that large pages were asked for (`hg`), whether or not it has any to give. */
test.runIf(onRequest)('a process in this environment asks for them', () => {
  const program =
    "const b = Buffer.alloc(2 ** 26, 1); console.log(/VmFlags:.* hg/.test(require('fs').readFileSync('/proc/self/smaps', 'utf8')), b[5])";
  const run = (env: NodeJS.ProcessEnv) => execFileSync(process.execPath, ['-e', program], { env, encoding: 'utf8' });
  expect(run(networkEnvironment({}))).toBe('true 1\n');
  expect(run({})).toBe('false 1\n');
});
