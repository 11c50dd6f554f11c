import { setImmediate as settle } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { type Lease, LeaseCache, type Loaded } from '../../../gpu-runner/adapter/cache.ts';
import { ServiceError } from '../../../schemas/errors.ts';

const TTL_MS = 2_000;

function busyCode(error: unknown): string {
  return error instanceof ServiceError ? error.code : String(error);
}

describe('the cache of leased values', () => {
  let clock: number;
  let evicted: string[];
  let loads: string[];
  let cache: LeaseCache<string>;

  beforeEach(() => {
    clock = 1_000;
    evicted = [];
    loads = [];
    const onEvict = (value: string) => evicted.push(value);
    cache = new LeaseCache({ capacity: 30, now: () => clock, failureTtlMs: TTL_MS, onEvict });
  });

  /** Acquires a value of the key's own name, ten in size. */
  function acquire(key: string, size = 10): Promise<Lease<string>> {
    return cache.acquire(key, async () => {
      loads.push(key);
      return { value: key, size, tier: 'cold' };
    });
  }

  async function use(...keys: string[]): Promise<void> {
    for (const key of keys) (await acquire(key)).release();
  }

  it('reports the tier a value came from, and hot from then on', async () => {
    const warm = await cache.acquire('a', async () => ({ value: 'a', size: 1, tier: 'warm' }));
    expect([warm.tier, (await acquire('a')).tier, (await acquire('b')).tier]).toEqual(['warm', 'hot', 'cold']);
    expect(loads).toEqual(['b']);
  });

  it.each([
    { used: ['a', 'b', 'c'], next: ['d'], gone: ['a'] },
    { used: ['a', 'b', 'c', 'a'], next: ['d'], gone: ['b'] },
    { used: ['a', 'b', 'c', 'a', 'b'], next: ['d', 'e'], gone: ['c', 'a'] },
    { used: ['a', 'b'], next: ['c'], gone: [] },
    { used: ['a', 'b', 'c'], next: ['d', 'a', 'e'], gone: ['a', 'b', 'c'] },
  ])('after $used, loading $next evicts $gone: what was used longest ago goes first', async ({ used, next, gone }) => {
    await use(...used, ...next);
    expect(evicted).toEqual(gone);
    expect(cache.stats().size).toBeLessThanOrEqual(30);
  });

  it('counts the release as the last use', async () => {
    const a = await acquire('a');
    await use('b', 'c');
    a.release();
    await use('d');
    expect(evicted).toEqual(['b']);
  });

  it('evicts as many as a large value needs', async () => {
    await use('a', 'b', 'c');
    (await acquire('large', 20)).release();
    expect(evicted).toEqual(['a', 'b']);
    expect([...cache.values()]).toEqual(['c', 'large']);
  });

  it('never evicts what is leased, however long ago it was used', async () => {
    const held = await acquire('a');
    await use('b', 'c', 'd', 'e', 'f');
    expect(evicted).toEqual(['b', 'c', 'd']);
    expect((await acquire('a')).tier).toBe('hot');
    held.release();
    await use('g', 'h', 'i');
    expect(evicted).not.toContain('a');
  });

  it('keeps a value until its last lease is released, and takes a second release for nothing', async () => {
    const first = await acquire('a');
    const second = await acquire('a');
    first.release();
    first.release();
    expect(cache.stats().leasedSize).toBe(10);
    await use('b', 'c', 'd', 'e');
    expect(evicted).not.toContain('a');
    second.release();
    second.release();
    expect(cache.stats().leasedSize).toBe(0);
    const again = await acquire('a');
    expect(cache.stats().leasedSize).toBe(10);
    again.release();
    await use('x', 'y', 'z');
    expect(evicted).toContain('a');
  });

  it('refuses with runner_busy and a time to come back where all is leased, and loads nothing for it', async () => {
    const leases = [await acquire('a'), await acquire('b'), await acquire('c')];
    const refused = await acquire('d').catch((error: unknown) => error);
    expect(refused).toMatchObject({ code: 'runner_busy', retryAfterSeconds: 2 });
    expect(loads).toEqual(['a', 'b', 'c']);
    expect((await acquire('b')).tier).toBe('hot');
    leases[0]?.release();
    expect((await acquire('d')).value).toBe('d');
    expect(evicted).toEqual(['a']);
  });

  it('refuses a value that does not fit beside what is leased, and keeps what it has', async () => {
    await acquire('a');
    await use('b');
    expect(busyCode(await acquire('large', 25).catch((error: unknown) => error))).toBe('runner_busy');
    expect([...cache.values()]).toEqual(['a', 'b']);
    expect(evicted).toEqual(['large']);
  });

  describe('with a load under way', () => {
    let load: PromiseWithResolvers<Loaded<string>>;
    let started: number;

    beforeEach(() => {
      load = Promise.withResolvers();
      started = 0;
    });

    function start(): Promise<Loaded<string>> {
      started += 1;
      return load.promise;
    }

    function join(signal?: AbortSignal): Promise<Lease<string>> {
      return cache.acquire('a', start, signal);
    }

    it('loads once for all who ask, and each has a lease of its own', async () => {
      const waiting = [join(), join(), join()];
      await settle();
      load.resolve({ value: 'a', size: 10, tier: 'cold' });
      const leases = await Promise.all(waiting);
      expect(started).toBe(1);
      expect(leases.map(({ tier }) => tier)).toEqual(['cold', 'cold', 'cold']);
      leases[0]?.release();
      leases[1]?.release();
      expect(cache.stats().leasedSize).toBe(10);
      leases[2]?.release();
      expect(cache.stats().leasedSize).toBe(0);
    });

    it('lets one leave without harm to the others', async () => {
      const leaver = new AbortController();
      const left = join(leaver.signal).catch((error: unknown) => error);
      const stays = join();
      leaver.abort();
      expect(await left).toMatchObject({ code: 'cancelled' });
      load.resolve({ value: 'a', size: 10, tier: 'cold' });
      const lease = await stays;
      expect(started).toBe(1);
      lease.release();
      expect(cache.stats().leasedSize).toBe(0);
    });

    it('keeps the value unleased where everyone has left', async () => {
      const leaver = new AbortController();
      const left = join(leaver.signal).catch((error: unknown) => error);
      leaver.abort();
      await left;
      load.resolve({ value: 'a', size: 10, tier: 'cold' });
      await settle();
      expect(cache.stats()).toMatchObject({ entries: 1, leasedSize: 0, loading: 0 });
      expect((await join()).tier).toBe('hot');
    });

    it('takes no lease for a signal that has fired before', async () => {
      await expect(join(AbortSignal.abort())).rejects.toMatchObject({ code: 'cancelled' });
      expect(started).toBe(0);
    });

    it('does not evict a value between its load and the moment its callers go on', async () => {
      const waiting = join();
      load.resolve({ value: 'a', size: 30, tier: 'cold' });
      await settle();
      expect(busyCode(await acquire('b').catch((error: unknown) => error))).toBe('runner_busy');
      expect((await waiting).value).toBe('a');
    });

    it('fails all who wait with the same error, and loads again once the failure is old', async () => {
      const failure = new ServiceError('invalid_adapter', 'broken');
      const waiting = [join(), join()];
      load.reject(failure);
      expect((await Promise.allSettled(waiting)).map((result) => result.status)).toEqual(['rejected', 'rejected']);
      clock += TTL_MS - 1;
      await expect(join()).rejects.toBe(failure);
      expect(started).toBe(1);
      clock += 1;
      load = Promise.withResolvers();
      load.resolve({ value: 'a', size: 10, tier: 'cold' });
      expect((await join()).value).toBe('a');
      expect(started).toBe(2);
    });

    it.each(['runner_busy', 'runner_unavailable', 'cancelled', 'deadline_exceeded'] as const)(
      'does not keep a failure of the moment: %s',
      async (code) => {
        const failing = join();
        load.reject(new ServiceError(code, 'for now'));
        await expect(failing).rejects.toMatchObject({ code });
        load = Promise.withResolvers();
        load.resolve({ value: 'a', size: 10, tier: 'warm' });
        expect((await join()).tier).toBe('warm');
      },
    );

    it('fails one key without touching the others', async () => {
      await use('b');
      const failing = join();
      load.reject(new Error('broken'));
      await expect(failing).rejects.toThrow('broken');
      expect((await acquire('b')).tier).toBe('hot');
      expect(cache.stats()).toMatchObject({ entries: 1, size: 10, loading: 0 });
    });
  });

  it('holds to its bounds through any order of use', async () => {
    let state = 1;
    const draw = (below: number) => {
      state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
      return state % below;
    };
    const held: Lease<string>[] = [];
    for (let step = 0; step < 2_000; step++) {
      if (draw(2) === 0) held.splice(draw(held.length + 1), 1)[0]?.release();
      else await acquire(`key ${draw(8)}`, 5 + draw(8)).then((lease) => held.push(lease), busyCode);
      const { size, leasedSize } = cache.stats();
      expect(size).toBeLessThanOrEqual(30);
      expect([...cache.values()]).toEqual(expect.arrayContaining(held.map(({ value }) => value)));
      expect(leasedSize).toBeLessThanOrEqual(size);
    }
    for (const lease of held) lease.release();
    expect(cache.stats().leasedSize).toBe(0);
  });
});
