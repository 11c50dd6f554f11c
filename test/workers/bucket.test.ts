import { describe, expect, test } from 'vitest';
import { type Bucket, type Rate, takeToken } from '../../workers/edge/limits/bucket.ts';
import { placeFor } from '../../workers/edge/limits/slots.ts';

const RUNS = 300;

/** Numbers that look random and are the same in every run (mulberry32). */
function randoms(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return (((t ^ (t >>> 14)) >>> 0) / 2 ** 32) * below;
  };
}

/** Asks at each of the times and answers when it was let through, with what was said each time. */
function ask(times: readonly number[], rate: Rate) {
  let bucket: Bucket | null = null;
  return times.map((now) => {
    const taken = takeToken(bucket, now, rate);
    bucket = taken.bucket;
    return { now, ...taken.state };
  });
}

/** Every seed a rate and a few hundred times, with pauses and with many at one time. */
function scenario(seed: number): { rate: Rate; times: number[] } {
  const random = randoms(seed);
  const rate = { perMinute: 1 + Math.floor(random(600)), capacity: 1 + Math.floor(random(50)) };
  const mean = (60_000 / rate.perMinute) * random(2);
  let now = 1_000_000;
  const times = Array.from({ length: 200 }, () => {
    now += random(10) < 1 ? random(20) * mean : Math.floor(random(2)) * random(mean);
    return now;
  });
  return { rate, times };
}

const seeds = Array.from({ length: RUNS }, (_, seed) => seed);

describe('a token bucket', () => {
  test('lets no more through in any span of time than its capacity and what the rate gives in it', () => {
    for (const seed of seeds) {
      const { rate, times } = scenario(seed);
      const through = ask(times, rate).filter(({ allowed }) => allowed);
      const over = through.flatMap((from, first) =>
        through.slice(first).map((to, more) => {
          const most = rate.capacity + ((to.now - from.now) / 60_000) * rate.perMinute;
          return more + 1 - most;
        }),
      );
      expect(Math.max(...over)).toBeLessThanOrEqual(1e-6);
    }
  });

  test('refuses nobody who keeps to the rate, however long', () => {
    for (const perMinute of [1, 7, 60, 1200, 100_000]) {
      const times = Array.from({ length: 1000 }, (_, n) => 1_000_000 + (n * 60_000) / perMinute);
      for (const capacity of [2, perMinute + 1]) {
        expect(ask(times, { perMinute, capacity }).every(({ allowed }) => allowed)).toBe(true);
      }
    }
  });

  test('says how long to wait: then it lets through, and a second and more before it does not', () => {
    for (const seed of seeds) {
      const { rate, times } = scenario(seed);
      let bucket: Bucket | null = null;
      for (const now of times) {
        const { state, bucket: next }: { state: { allowed: boolean; retryAfterSeconds: number }; bucket: Bucket } =
          takeToken(bucket, now, rate);
        bucket = next;
        if (state.allowed) continue;
        const wait = state.retryAfterSeconds * 1000;
        expect(wait).toBeGreaterThan(0);
        expect(takeToken(bucket, now + wait, rate).state.allowed).toBe(true);
        expect(takeToken(bucket, now + wait - 1001, rate).state.allowed).toBe(false);
      }
    }
  });

  test('lets through at once as many as it says remain, and not one more', () => {
    for (const seed of seeds) {
      const { rate, times } = scenario(seed);
      const last = times.at(-1) ?? 0;
      const said = ask(times, rate).at(-1)?.remaining ?? -1;
      const after = ask([...times, ...Array<number>(said + 1).fill(last)], rate).slice(times.length);
      expect(after.map(({ allowed }) => allowed)).toEqual([...Array<boolean>(said).fill(true), false]);
    }
  });

  test('is full again when it says so', () => {
    for (const seed of seeds) {
      const { rate, times } = scenario(seed);
      const state = ask(times, rate).at(-1);
      if (state === undefined || !state.allowed) continue;
      const full = (times.at(-1) ?? 0) + state.resetSeconds * 1000;
      const after = ask([...times, ...Array<number>(rate.capacity).fill(full)], rate).slice(times.length);
      expect(after.every(({ allowed }) => allowed)).toBe(true);
    }
  });

  test('gives nothing for a clock that goes back and forth', () => {
    const rate = { perMinute: 60, capacity: 5 };
    const times = Array.from({ length: 1000 }, (_, n) => 1_000_000 - (n % 2) * 30_000);
    expect(ask(times, rate).filter(({ allowed }) => allowed)).toHaveLength(5);
  });

  test('asking while refused does not put the next one off', () => {
    const rate = { perMinute: 60, capacity: 1 };
    const times = Array.from({ length: 100 }, (_, n) => n * 10);
    expect(ask([...times, 1000], rate).at(-1)?.allowed).toBe(true);
  });

  test('a smaller limit holds at once', () => {
    const { bucket } = takeToken(null, 0, { perMinute: 1000, capacity: 1000 });
    expect(takeToken(bucket, 0, { perMinute: 3, capacity: 3 }).state).toMatchObject({ limit: 3, remaining: 2 });
  });
});

describe('slots', () => {
  const held = new Map([
    ['a', 100],
    ['b', 200],
  ]);

  test.each([
    ['a third of three', { id: 'c', most: 3 }, 50, true],
    ['a third of two', { id: 'c', most: 2 }, 50, false],
    ['one that is held already', { id: 'a', most: 2 }, 50, true],
    ['one where another ran out', { id: 'c', most: 2 }, 100, true],
    ['one that ran out itself and has been replaced', { id: 'a', most: 1 }, 100, false],
    ['any of none', { id: 'c', most: 0 }, 1000, false],
  ])('%s', (_, slot, now, free) => {
    expect(placeFor({ ...slot, until: now + 1 }, held, now).free).toBe(free);
  });

  test('what ran out is named, so that it can be forgotten', () => {
    expect(placeFor({ id: 'c', most: 2, until: 0 }, held, 150).expired).toEqual(['a']);
  });
});
