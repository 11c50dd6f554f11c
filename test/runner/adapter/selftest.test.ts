import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Base, loadBase } from '../../../gpu-runner/adapter/base.ts';
import type { CompiledAdapter } from '../../../gpu-runner/adapter/compiled.ts';
import { type PlacedAdapter, placeAdapter } from '../../../gpu-runner/adapter/placed.ts';
import { readAdapter } from '../../../gpu-runner/adapter/read-adapter.ts';
import { verifySelftest } from '../../../gpu-runner/adapter/verify-selftest.ts';
import { SessionHost } from '../../../gpu-runner/inference/session-host.ts';
import { TEST_PROVIDER } from '../../support/provider.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

/** Files whose self-tests PyTorch and MONAI wrote. */
const CASES = [
  { name: 'p1-legacy-f12', file: 'adapter-hippocampus.safetensors' },
  { name: 'p2-fixed-f12-2ch', file: 'adapter-regions.safetensors' },
];

describeShared('self-tests in the real network', () => {
  const host = new SessionHost({
    providers: [TEST_PROVIDER],
    threads: 2,
    log: { info: () => undefined, warn: () => undefined },
  });

  afterAll(async () => {
    await host.close();
  });

  describe.each(CASES)('$name', ({ name, file }) => {
    let base: Base;
    let adapter: CompiledAdapter;
    let placed: PlacedAdapter;
    const run = host.runWindow.bind(host);

    beforeAll(async () => {
      base = await loadBase(sharedPath('fixtures/parity', name, 'base.safetensors'));
      const bytes = readFileSync(sharedPath('fixtures/parity', name, file));
      adapter = await readAdapter(bytes, `sha256:${createHash('sha256').update(bytes).digest('hex')}`, base);
      await host.registerBase(base);
      placed = await placeAdapter(host.weightsFolder, adapter);
    });

    it('passes for the base and for the adapter', async () => {
      expect(await verifySelftest({ manifest: base.manifest, adapter: null }, base, run)).toEqual([]);
      expect(await verifySelftest({ manifest: adapter.manifest, adapter: placed }, base, run)).toEqual([]);
    });

    it('misses where one layer is left out', async () => {
      const [first = ''] = adapter.slots.keys();
      const slots = new Map([...adapter.slots].filter(([parameter]) => parameter !== first));
      const subject = {
        manifest: adapter.manifest,
        adapter: await placeAdapter(host.weightsFolder, { ...adapter, digest: `sha256:${'0'.repeat(64)}`, slots }),
      };
      expect(await verifySelftest(subject, base, run)).toMatchObject([{ code: 'selftest' }]);
    });

    it('misses where an expected value is another', async () => {
      const expected = adapter.manifest.selftest.expected.with(3, 1e3);
      const manifest = { ...adapter.manifest, selftest: { ...adapter.manifest.selftest, expected } };
      const [problem] = await verifySelftest({ manifest, adapter: placed }, base, run);
      expect(problem).toMatchObject({ code: 'selftest', path: 'manifest.selftest.expected[3]' });
    });
  });
});
