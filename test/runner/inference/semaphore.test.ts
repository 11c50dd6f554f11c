import { describe, expect, it } from 'vitest';
import { Semaphore } from '../../../gpu-runner/inference/semaphore.ts';

describe('Semaphore', () => {
  it('lets in what fits and the rest in order of arrival, the small behind the large', async () => {
    const memory = new Semaphore(10);
    const order: string[] = [];
    const first = await memory.acquire(6);
    const large = memory.acquire(8);
    void large.then(() => order.push('large'));
    const small = memory.acquire(1);
    void small.then(() => order.push('small'));
    await Promise.resolve();
    expect(order).toEqual([]);
    first();
    const releases = await Promise.all([large, small]);
    expect(order).toEqual(['large', 'small']);
    for (const release of releases) release();
    await memory.acquire(10);
  });

  it('gives back once, however often it is told', async () => {
    const memory = new Semaphore(1);
    const release = await memory.acquire(1);
    release();
    release();
    await memory.acquire(1);
    const over = memory.acquire(1, AbortSignal.timeout(20));
    await expect(over).rejects.toThrow('timeout');
  });

  it('forgets who stops waiting, and lets in whoever stood behind', async () => {
    const memory = new Semaphore(2);
    const release = await memory.acquire(1);
    const caller = new AbortController();
    const large = memory.acquire(2, caller.signal);
    const small = memory.acquire(1);
    caller.abort(new Error('gone'));
    await expect(large).rejects.toThrow('gone');
    (await small)();
    release();
    await memory.acquire(2);
  });

  it('lets nobody in who comes aborted, and refuses at once what never fits', async () => {
    const memory = new Semaphore(1);
    await expect(memory.acquire(1, AbortSignal.abort(new Error('late')))).rejects.toThrow('late');
    await expect(memory.acquire(2)).rejects.toThrow(RangeError);
    await memory.acquire(1);
  });
});
