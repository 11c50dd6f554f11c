import { expect, test } from 'vitest';
import { byWeight } from '../../workers/edge/runners/rendezvous.ts';
import { sha256 } from './support/files.ts';

const runners = Array.from({ length: 6 }, (_, n) => `http://10.0.0.${n + 1}:8788`);
const digests = Array.from({ length: 3_000 }, (_, n) => sha256(new TextEncoder().encode(String(n))));
const first = (among: readonly string[], digest: string) => byWeight(among, digest)[0];

test('the order holds every runner once and does not depend on how they are listed', () => {
  for (const digest of digests.slice(0, 100)) {
    const order = byWeight(runners, digest);
    expect(order.toSorted()).toEqual(runners.toSorted());
    expect(byWeight(runners.toReversed(), digest)).toEqual(order);
  }
});

test.each(runners)('where %s leaves, its files alone move, and the others keep their order', (gone) => {
  const left = runners.filter((runner) => runner !== gone);
  for (const digest of digests) {
    expect(byWeight(left, digest)).toEqual(byWeight(runners, digest).filter((runner) => runner !== gone));
  }
});

test('where a runner comes, files move to it alone', () => {
  const [newcomer, ...before] = runners;
  const moved = digests.filter((digest) => first(before, digest) !== first(runners, digest));
  expect(moved.length).toBeGreaterThan(0);
  for (const digest of moved) expect(first(runners, digest)).toBe(newcomer);
});

/** How many of the files each runner has. */
function shares(among: readonly string[], of: readonly string[]): number[] {
  return among.map((runner) => of.filter((digest) => first(among, digest) === runner).length);
}

/** A share of n files at odds p varies by a standard deviation of sqrt(n p (1 - p)); six of them are no accident. */
function expectFair(share: number, total: number, odds: number): void {
  expect(Math.abs(share - total * odds)).toBeLessThan(6 * Math.sqrt(total * odds * (1 - odds)));
}

test('files spread evenly, those of a runner that leaves among them', () => {
  for (const share of shares(runners, digests)) expectFair(share, digests.length, 1 / runners.length);
  const [gone, ...left] = runners;
  const orphans = digests.filter((digest) => first(runners, digest) === gone);
  for (const share of shares(left, orphans)) expectFair(share, orphans.length, 1 / left.length);
});

test('no runner, no order', () => {
  expect(byWeight([], digests[0] ?? '')).toEqual([]);
});
