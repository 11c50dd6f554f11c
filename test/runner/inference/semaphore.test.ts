import { describe, expect, it, test } from 'vitest';
import { nextOf, Semaphore, type Waiting } from '../../../gpu-runner/inference/semaphore.ts';

const waiting = (tenant: string, amount: number, passed = 0): Waiting => ({ tenant, amount, passed });

describe('who goes in next', () => {
  const shared = { capacity: 10, free: 4, tenantMax: 10 };
  test.each([
    { rule: 'nobody where none fits', held: {}, line: [waiting('a', 5), waiting('b', 6)], expected: null },
    {
      rule: 'the first that fits, past one that does not',
      held: {},
      line: [waiting('a', 5), waiting('b', 4)],
      expected: 1,
    },
    { rule: 'the first to come among equals', held: {}, line: [waiting('a', 3), waiting('b', 1)], expected: 0 },
    { rule: 'the tenant that holds least', held: { a: 6 }, line: [waiting('a', 1), waiting('b', 4)], expected: 1 },
    {
      rule: 'nobody past one that was passed often enough',
      held: {},
      line: [waiting('a', 5, 10), waiting('b', 1)],
      expected: null,
    },
    {
      rule: 'one that was passed often enough, first',
      held: { a: 6 },
      line: [waiting('b', 1), waiting('a', 4, 10)],
      expected: 1,
    },
  ])('$rule', ({ held, line, expected }) => {
    const of = new Map(Object.entries(held));
    const next = nextOf(line, { ...shared, held: (tenant) => of.get(tenant) ?? 0 });
    expect(next).toBe(expected === null ? null : line[expected]);
  });

  it('lets no tenant have more than its part, unless that is all it has', () => {
    const parted = { capacity: 10, free: 10, tenantMax: 4 };
    const line = [waiting('a', 2, 10), waiting('b', 6)];
    expect(nextOf(line, { ...parted, held: (tenant) => (tenant === 'a' ? 3 : 0) })).toBe(line[1]);
  });
});

describe('Semaphore', () => {
  it('lets small amounts past a large one, but only so often', async () => {
    const memory = new Semaphore(10);
    const order: string[] = [];
    const first = await memory.acquire('a', 6);
    const large = memory.acquire('b', 8).then((release) => {
      order.push('large');
      return release;
    });
    // Ten that go past it, one after another, and an eleventh that does not.
    for (let n = 0; n < 10; n++) (await memory.acquire('c', 1))();
    const late = memory.acquire('c', 1).then((release) => {
      order.push('small');
      return release;
    });
    await Promise.resolve();
    expect(order).toEqual([]);
    first();
    const releases = await Promise.all([large, late]);
    expect(order).toEqual(['large', 'small']);
    for (const release of releases) release();
    await memory.acquire('a', 10);
  });

  it('gives back once, however often it is told', async () => {
    const memory = new Semaphore(1);
    const release = await memory.acquire('a', 1);
    release();
    release();
    await memory.acquire('a', 1);
    const over = memory.acquire('a', 1, AbortSignal.timeout(20));
    await expect(over).rejects.toThrow('timeout');
  });

  it('forgets who stops waiting, and lets in whoever stood behind', async () => {
    const memory = new Semaphore(2, 1);
    const release = await memory.acquire('a', 1);
    const caller = new AbortController();
    const own = memory.acquire('a', 1, caller.signal);
    const next = memory.acquire('a', 1);
    caller.abort(new Error('gone'));
    await expect(own).rejects.toThrow('gone');
    release();
    (await next)();
    await memory.acquire('a', 2);
  });

  it('lets nobody in who comes aborted, and refuses at once what never fits', async () => {
    const memory = new Semaphore(1);
    await expect(memory.acquire('a', 1, AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
    await expect(memory.acquire('a', 2)).rejects.toThrow(RangeError);
    await memory.acquire('a', 1);
  });
});
