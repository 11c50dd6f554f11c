import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as settle } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Base } from '../../../gpu-runner/adapter/base.ts';
import { readBase } from '../../../gpu-runner/adapter/base.ts';
import { BaseStore } from '../../../gpu-runner/adapter/base-store.ts';
import { type BlobRequest, BlobStore } from '../../../gpu-runner/adapter/blobs.ts';
import type { CompiledAdapter } from '../../../gpu-runner/adapter/compiled.ts';
import { type PlacedAdapter, placeAdapter } from '../../../gpu-runner/adapter/placed.ts';
import { AdapterStore } from '../../../gpu-runner/adapter/store.ts';
import type { SelftestWindow } from '../../../gpu-runner/adapter/verify-selftest.ts';
import { ServiceError } from '../../../schemas/errors.ts';
import { selftestInput } from '../../../schemas/selftest.ts';
import {
  adapterFile,
  columns,
  PARAMETER,
  refusal,
  tinyBaseFile,
  tinyManifest,
  tinyTensors,
  withData,
} from './tiny-model.ts';

const CLASSES = 2;
const MIB = 2 ** 20;
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

/** A network that knows the bases it was told of and answers every window with one value. */
class FakeNetwork {
  readonly folder = mkdtempSync(join(tmpdir(), 'store-test-'));
  readonly known: string[] = [];
  readonly windows: SelftestWindow[] = [];
  answer: (request: SelftestWindow) => number = () => 0;

  async register(base: Base): Promise<void> {
    this.known.push(base.digest);
  }
  forget(base: Base): void {
    this.known.splice(this.known.indexOf(base.digest), 1);
  }
  async place(adapter: CompiledAdapter): Promise<PlacedAdapter> {
    return await placeAdapter(this.folder, adapter);
  }
  withdraw({ weights }: PlacedAdapter): void {
    rmSync(weights.path, { force: true });
  }
  async runWindow(request: SelftestWindow): Promise<Float32Array> {
    if (!this.known.includes(request.base)) throw new Error('the network does not know this base');
    this.windows.push(request);
    const [i, j, k] = request.window;
    return new Float32Array(CLASSES * i * j * k).fill(this.answer(request));
  }
}

describe('the stores of bases and adapters', () => {
  const baseFile = tinyBaseFile();
  const otherFile = tinyBaseFile({ 'swinViT.patch_embed.proj.bias': new Float32Array(12) });
  const thirdFile = tinyBaseFile({ 'swinViT.patch_embed.proj.bias': new Float32Array(12).fill(1) });
  let base: Base;
  let other: Base;
  let third: Base;
  let network: FakeNetwork;
  let files: Map<string, Uint8Array>;
  let fetched: BlobRequest[];
  let bases: BaseStore;
  let adapters: AdapterStore;
  let clock: number;

  beforeAll(async () => {
    base = await readBase(baseFile);
    other = await readBase(otherFile);
    third = await readBase(thirdFile);
  });

  beforeEach(() => {
    clock = 0;
    network = new FakeNetwork();
    files = new Map([baseFile, otherFile, thirdFile].map((bytes) => [sha256(bytes), bytes]));
    fetched = [];
    const source = {
      fetch: async (request: BlobRequest) => {
        fetched.push(request);
        const bytes = files.get(request.sha256);
        if (bytes === undefined) throw new ServiceError('not_found', 'gone');
        return bytes;
      },
    };
    const blobs = new BlobStore({ source, disk: null, onDiskFault: () => undefined });
    const now = () => clock;
    bases = new BaseStore({ network, blobs, mostBases: 2, now });
    adapters = new AdapterStore({ bases, blobs, network, capacityBytes: MIB, now });
  });

  afterEach(() => rmSync(network.folder, { recursive: true }));

  const baseRequest = (of: Base = base) => ({
    digest: of.digest,
    file: `sha256:${of.fileSha256}`,
    grant: 'base grant',
  });

  /** Puts an adapter at the edge and answers the request for it. */
  function put(name: string, up = columns([1, 1])) {
    const manifest = tinyManifest(base, [{ parameter: PARAMETER, method: 'lora', rank: 2 }], { name });
    const { bytes, digest } = adapterFile(manifest, withData(tinyTensors(manifest), { [`${PARAMETER}::up`]: up }));
    files.set(sha256(bytes), bytes);
    return { digest, grant: `grant of ${name}`, base: baseRequest() };
  }

  it('fetch what they lack with the grants that came along, each file once', async () => {
    const request = put('a');
    const first = await adapters.acquire(request);
    const second = await adapters.acquire({ ...request, grant: 'another grant' });
    expect([first.tier, second.tier]).toEqual(['cold', 'hot']);
    expect(second.adapter).toBe(first.adapter);
    expect(first.base.digest).toBe(base.digest);
    expect(fetched).toMatchObject([
      { sha256: base.fileSha256, grant: 'base grant' },
      { sha256: request.digest.slice(7), grant: 'grant of a', maxBytes: 256 * MIB },
    ]);
  });

  it('hand out nothing before its self-test, over the input of the format', async () => {
    const { adapter } = await adapters.acquire(put('a'));
    const [ofBase, ofAdapter] = network.windows;
    expect(ofBase).toMatchObject({ adapter: null, window: [64, 64, 64], base: base.digest });
    expect(ofAdapter?.adapter).toBe(adapter);
    expect(ofAdapter?.input).toEqual(selftestInput(64 ** 3));
    expect(network.windows).toHaveLength(2);
  });

  it.each([
    { logits: 'a miss of 2e-3', answer: 2e-3 },
    { logits: 'NaN', answer: Number.NaN },
    { logits: 'an infinity', answer: Number.POSITIVE_INFINITY },
  ])('reject an adapter whose self-test ends in $logits', async ({ answer }) => {
    network.answer = ({ adapter }) => (adapter === null ? 0 : answer);
    const request = put('a');
    const { code, problems } = await refusal(adapters.acquire(request));
    expect(code).toBe('invalid_adapter');
    expect(problems).toMatchObject([{ code: 'selftest', path: 'manifest.selftest.expected[0]' }]);
    expect(adapters.cache.stats().entries).toBe(0);
    expect(readdirSync(network.folder)).toEqual([]);
    expect((await adapters.acquire(put('b')).catch(() => null))?.adapter).toBeUndefined();
  });

  it('take a self-test that misses by less than the tolerance', async () => {
    network.answer = () => 9e-4;
    expect((await adapters.acquire(put('a'))).tier).toBe('cold');
  });

  it('reject a base whose own self-test misses, and make the network forget it', async () => {
    network.answer = () => 1;
    const { code, problems } = await refusal(bases.acquire(baseRequest()));
    expect(code).toBe('invalid_base');
    expect(problems).toMatchObject([{ code: 'selftest' }]);
    expect(network.known).toEqual([]);
    expect((await refusal(bases.add(base))).code).toBe('invalid_base');
  });

  it('say nothing about a file when the network fails, and try again at once', async () => {
    const request = put('a');
    await bases.add(base);
    const down = new ServiceError('runner_unavailable', 'the session ended');
    network.answer = () => {
      throw down;
    };
    await expect(adapters.acquire(request)).rejects.toBe(down);
    network.answer = () => 0;
    expect((await adapters.acquire(request)).tier).toBe('cold');
  });

  it('run the self-test once for all who ask, and not again when the adapter comes back', async () => {
    await bases.add(base);
    const requests = [put('a'), put('b')];
    await Promise.all([adapters.acquire(put('a')), adapters.acquire(put('a')), adapters.acquire(put('a'))]);
    expect(network.windows).toHaveLength(2);
    const small = adaptersOf(1_000);
    for (const request of [...requests, ...requests]) (await small.acquire(request)).release();
    expect(small.cache.stats().entries).toBe(1);
    // The other store's two, and the one that is left here.
    expect(readdirSync(network.folder)).toHaveLength(2);
    expect(network.windows).toHaveLength(4);
  });

  function adaptersOf(capacityBytes: number): AdapterStore {
    const source = { fetch: async ({ sha256: hex }: BlobRequest) => files.get(hex) ?? new Uint8Array() };
    const blobs = new BlobStore({ source, disk: null, onDiskFault: () => undefined });
    return new AdapterStore({ bases, blobs, network, capacityBytes, now: () => clock });
  }

  it('refuse with runner_busy while all that fits is in use', async () => {
    await bases.add(base);
    const small = adaptersOf(1_000);
    const lease = await small.acquire(put('a'));
    expect((await refusal(small.acquire(put('b')))).code).toBe('runner_busy');
    lease.release();
    lease.release();
    expect((await small.acquire(put('b'))).tier).toBe('cold');
  });

  it('make the weights anew where somebody emptied the folder, once for all who ask', async () => {
    const held = await adapters.acquire(put('a'));
    const { size } = adapters.cache.stats();
    for (const name of readdirSync(network.folder)) rmSync(join(network.folder, name));
    const leases = await Promise.all([adapters.acquire(put('a')), adapters.acquire(put('a'))]);
    expect(new Set(leases.map(({ adapter }) => adapter)).size).toBe(1);
    expect(readdirSync(network.folder)).toHaveLength(1);
    held.release();
    for (const lease of leases) lease.release();
    expect(adapters.cache.stats()).toMatchObject({ entries: 1, size, leasedSize: 0 });
  });

  it('refuse an adapter that could never fit', async () => {
    expect((await refusal(adaptersOf(100).acquire(put('a')))).code).toBe('runner_unavailable');
  });

  it('answer every problem of an invalid adapter, and serve the next good one', async () => {
    const broken = put('broken', columns([Number.NaN]));
    const { problems } = await refusal(adapters.acquire(broken));
    expect(problems).toMatchObject([{ code: 'not_finite', path: `${PARAMETER}::up` }]);
    expect((await adapters.acquire(put('a'))).adapter?.manifest.name).toBe('a');
  });

  it('never serve an adapter on a base it is not for, whatever they are asked', async () => {
    const request = put('a');
    await adapters.acquire(request);
    const { problems } = await refusal(adapters.acquire({ ...request, base: baseRequest(other) }));
    expect(problems).toMatchObject([{ code: 'unknown_base' }]);
    expect((await adapters.acquire(request)).tier).toBe('hot');
  });

  it('refuse a file of another base than the one asked for', async () => {
    const mixed = { ...baseRequest(), file: `sha256:${other.fileSha256}` };
    expect((await refusal(bases.acquire(mixed))).code).toBe('internal');
    expect(network.known).toEqual([]);
  });

  it('pass on what the edge does not have', async () => {
    const gone = { ...put('a'), digest: `sha256:${'0'.repeat(64)}` };
    expect((await refusal(adapters.acquire(gone))).code).toBe('not_found');
    const unnamed = { digest: base.digest, file: null, grant: null };
    const fresh = new BaseStore({ network, blobs: null, mostBases: 1, now: () => clock });
    expect((await refusal(fresh.acquire(unnamed))).code).toBe('not_found');
    expect((await refusal(fresh.acquire(baseRequest()))).code).toBe('not_found');
  });

  it.each(['', 'sha256:', '../../etc/passwd', `sha256:${'A'.repeat(64)}`])(
    'take no digest but the format’s: %j',
    async (digest) => {
      expect((await refusal(adapters.acquire({ ...put('a'), digest }))).code).toBe('invalid_request');
    },
  );

  it('keep an added base for good and the others as long as there is room', async () => {
    await bases.add(base);
    (await bases.acquire(baseRequest(other))).release();
    const lease = await bases.acquire(baseRequest(third));
    expect(network.known).toEqual([base.digest, third.digest]);
    expect([...bases.values()].map(({ digest }) => digest).toSorted()).toEqual([base.digest, third.digest].toSorted());
    expect((await refusal(bases.acquire(baseRequest(other)))).code).toBe('runner_busy');
    lease.release();
    expect((await adapters.acquireBase(baseRequest(other))).tier).toBe('cold');
  });

  it('tell the digest of a base that is known by its file alone', async () => {
    expect(await bases.verifyFile(`sha256:${base.fileSha256}`, 'base grant')).toBe(base.digest);
    const lease = await adapters.acquireBase({ digest: base.digest, file: null, grant: null });
    expect(lease).toMatchObject({ adapter: null, tier: 'hot' });
    expect(network.windows).toHaveLength(1);
  });

  it('hold the base while an adapter is loaded, even when its caller leaves', async () => {
    const leaver = new AbortController();
    const gate = Promise.withResolvers<void>();
    const request = put('a');
    const slow = {
      fetch: async ({ sha256: hex }: BlobRequest) => gate.promise.then(() => files.get(hex) ?? new Uint8Array()),
    };
    const blobs = new BlobStore({ source: slow, disk: null, onDiskFault: () => undefined });
    const store = new AdapterStore({ bases, blobs, network, capacityBytes: MIB, now: () => clock });
    const left = refusal(store.acquire(request, leaver.signal));
    while (store.cache.stats().loading === 0) await settle();
    leaver.abort();
    expect((await left).code).toBe('cancelled');
    // Two more bases would take the place of one that nobody holds.
    for (const next of [other, third]) (await bases.acquire(baseRequest(next))).release();
    expect(network.known).toContain(base.digest);
    gate.resolve();
    while (store.cache.stats().loading > 0) await settle();
    expect((await store.acquire(request)).tier).toBe('hot');
  });
});
