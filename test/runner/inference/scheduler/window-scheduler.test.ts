import { describe, expect, it } from 'vitest';
import { type ScheduledRun, WindowScheduler } from '../../../../gpu-runner/inference/scheduler/window-scheduler.ts';

/** A device without a network: whatever the scheduler says is done at once, and the clock goes on by its cost. */
class Device {
  readonly scheduler = new WindowScheduler();
  readonly runs = new Map<number, ScheduledRun>();
  /** Milliseconds that each tenant, and windows that each run, has had. */
  readonly spent = new Map<string, number>();
  readonly served = new Map<number, number>();
  now = 0;

  add(tenant: string, windows: number, cost = 10, deadline = Number.POSITIVE_INFINITY): number {
    const id = this.runs.size + 1;
    const run = { id, tenant, windows, deadline, cost: () => cost, leastCost: () => cost };
    this.runs.set(id, run);
    this.scheduler.add(run);
    return id;
  }

  /** Takes windows and answers whose they were; `actual` is what each really takes. */
  take(windows: number, actual: (run: ScheduledRun) => number = (run) => run.cost()): string[] {
    return Array.from({ length: windows }, () => {
      const run = this.runs.get(this.scheduler.next() ?? 0);
      if (run === undefined) return '';
      const milliseconds = actual(run);
      this.scheduler.charge(run.tenant, milliseconds - run.cost());
      this.now += milliseconds;
      this.spent.set(run.tenant, (this.spent.get(run.tenant) ?? 0) + milliseconds);
      this.served.set(run.id, (this.served.get(run.id) ?? 0) + 1);
      return run.tenant;
    });
  }

  shares(): number[] {
    return [...this.spent.keys()].toSorted().map((tenant) => this.spent.get(tenant) ?? 0);
  }
}

describe('between tenants', () => {
  it('has nothing to do where nothing is', () => expect(new WindowScheduler().next()).toBeNull());

  it.each([
    { load: 'the same windows', costs: [10, 10, 10] },
    { load: 'dear windows and cheap ones', costs: [100, 10, 1] },
    { load: 'windows that do not divide each other', costs: [97, 13, 7] },
  ])('gives each the same time: $load', ({ costs }) => {
    const device = new Device();
    for (const [n, cost] of costs.entries()) device.add(`t${n}`, 1e6, cost);
    device.take(20_000);
    const shares = device.shares();
    expect(shares).toHaveLength(costs.length);
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(2 * Math.max(...costs));
  });

  it('gives ten tenants with equal load as many windows, within one, at any moment', () => {
    const device = new Device();
    for (let n = 0; n < 10; n++) device.add(`t${n}`, 1e6);
    for (let turn = 0; turn < 500; turn++) {
      device.take(7);
      const shares = Array.from({ length: 10 }, (_, n) => device.spent.get(`t${n}`) ?? 0);
      expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(10);
    }
  });

  it.each([1, 10, 1000])('takes nothing from others for a flood of %s runs', (runs) => {
    const device = new Device();
    device.add('quiet', 1e6);
    for (let n = 0; n < runs; n++) device.add('flood', 50);
    device.take(100);
    expect(device.shares()).toEqual([500, 500]);
  });

  it('gives the same time where windows take longer than expected, or shorter', () => {
    const device = new Device();
    device.add('as expected', 1e6);
    device.add('longer', 1e6);
    device.add('shorter', 1e6);
    device.take(10_000, ({ tenant }) => (tenant === 'longer' ? 45 : tenant === 'shorter' ? 3 : 10));
    const shares = device.shares();
    expect(Math.max(...shares) - Math.min(...shares)).toBeLessThanOrEqual(90);
  });

  it('starts a small volume within a round, however much was there before', () => {
    const device = new Device();
    for (let n = 0; n < 4; n++) for (let run = 0; run < 8; run++) device.add(`t${n}`, 1000);
    device.take(1234);
    device.add('small', 3);
    const taken = device.take(15);
    expect(taken.filter((tenant) => tenant === 'small')).toHaveLength(3);
  });

  it('serves a small volume beside a large one within twice its own windows', () => {
    const device = new Device();
    device.add('large', 1000);
    device.take(100);
    device.add('small', 8);
    expect(device.take(17).filter((tenant) => tenant === 'small')).toHaveLength(8);
  });

  it('saves nothing for who was away', () => {
    const device = new Device();
    device.add('here', 1e6);
    device.add('away', 10);
    device.take(1000);
    device.add('away', 1e6);
    const taken = device.take(100);
    expect(taken.filter((tenant) => tenant === 'away')).toHaveLength(50);
  });

  it('starves nobody: runs come and go, and each tenant that is there is served within a round of the dearest', () => {
    const device = new Device();
    const costs = new Map([1, 3, 10, 30, 100].map((cost) => [`t${cost}`, cost]));
    device.add('t100', 1e6, 100);
    let waited = 0;
    for (let turn = 0; turn < 3000; turn++) {
      const tenant = [...costs.keys()][turn % costs.size] ?? '';
      device.add(tenant, 1 + (turn % 5), costs.get(tenant));
      const before = device.now;
      const [taken] = device.take(1);
      waited = taken === 't100' ? 0 : waited + device.now - before;
      expect(waited).toBeLessThanOrEqual(2 * 100 * costs.size);
    }
  });
});

describe('within a tenant', () => {
  it('serves the run with the fewest windows first', () => {
    const device = new Device();
    const old = device.add('t', 1000);
    device.take(20);
    const young = device.add('t', 15);
    device.take(15);
    expect(device.served).toEqual(
      new Map([
        [old, 20],
        [young, 15],
      ]),
    );
  });

  it('shares equally between equal runs, the earliest deadline first', () => {
    const device = new Device();
    const [a, b, c] = [device.add('t', 100, 10, 9e6), device.add('t', 100, 10, 8e6), device.add('t', 100)];
    device.take(1);
    expect([...device.served.keys()]).toEqual([b]);
    device.take(2);
    expect([...device.served.keys()]).toEqual([b, a, c]);
    device.take(297);
    expect([...device.served.values()]).toEqual([100, 100, 100]);
    expect(device.scheduler.next()).toBeNull();
  });
});

describe('taking out', () => {
  it('never serves a run that was removed, and goes on with the others', () => {
    const device = new Device();
    const [gone, left] = [device.add('a', 100), device.add('a', 100)];
    device.add('b', 100);
    device.take(9);
    const before = device.served.get(gone);
    device.scheduler.remove(gone);
    device.scheduler.remove(gone);
    device.take(40);
    expect(device.served.get(gone)).toBe(before);
    expect(device.served.get(left)).toBeGreaterThan(20);
    expect(Math.abs((device.spent.get('a') ?? 0) - (device.spent.get('b') ?? 0))).toBeLessThanOrEqual(10);
  });

  it('leaves the turn to the next tenant where the one whose turn it is goes', () => {
    const device = new Device();
    const run = device.add('a', 100, 1);
    device.add('b', 100, 50);
    expect(device.take(2)).toEqual(['a', 'a']);
    device.scheduler.remove(run);
    expect(device.take(2)).toEqual(['b', 'b']);
    expect(device.scheduler.size).toBe(1);
  });

  it('ends what cannot be done in time any more, as soon as that is so', () => {
    const device = new Device();
    const hopeless = device.add('a', 10, 10, 99);
    const close = device.add('b', 10, 10, 101);
    const free = device.add('c', 10);
    expect(device.scheduler.expire(0)).toEqual([hopeless]);
    device.take(2);
    // Nine windows of ten are left and eighty milliseconds.
    expect(device.scheduler.expire(21)).toEqual([close]);
    expect(device.take(9)).toEqual(Array(9).fill('c'));
    expect(device.served.get(free)).toBe(10);
  });

  it('judges a run by its deadline alone while nothing was measured', () => {
    const scheduler = new WindowScheduler();
    scheduler.add({ id: 1, tenant: 'a', windows: 1e6, deadline: 1000, cost: () => 10, leastCost: () => 0 });
    expect(scheduler.expire(999)).toEqual([]);
    expect(scheduler.expire(1000)).toEqual([1]);
    expect(scheduler.size).toBe(0);
  });
});
