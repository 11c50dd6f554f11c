import { describe, expect, it, test } from 'vitest';
import { CostModel, type WindowKind } from '../../../../gpu-runner/inference/scheduler/cost-model.ts';
import { WindowScheduler } from '../../../../gpu-runner/inference/scheduler/window-scheduler.ts';
import { checkInTime, doneAfter, type Work } from '../../../../gpu-runner/inference/scheduler/workload.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { SMALL, SMALL_WINDOW } from '../../../support/network.ts';

const work = (tenant: string, milliseconds: number): Work => ({ tenant, milliseconds });

/** Takes everything through the scheduler in windows of one millisecond, the new work last to come. */
function simulated(added: Work, others: readonly Work[]): number {
  const scheduler = new WindowScheduler();
  const all = [...others, added];
  for (const [id, { tenant, milliseconds: windows }] of all.entries()) {
    scheduler.add({ id, tenant, windows, deadline: Number.POSITIVE_INFINITY, cost: () => 1, leastCost: () => 1 });
  }
  let [now, left] = [0, added.milliseconds];
  while (left > 0) {
    now += 1;
    if (scheduler.next() === others.length) left -= 1;
  }
  return now;
}

describe('when work is done', () => {
  test.each([
    { others: [] },
    { others: [work('b', 1000)] },
    { others: [work('b', 20)] },
    { others: [work('a', 1000)] },
    { others: [work('a', 30), work('a', 700)] },
    { others: [work('a', 40), work('b', 70), work('b', 900), work('c', 10)] },
    { others: Array.from({ length: 50 }, (_, n) => work(`t${n % 5}`, 37)) },
  ])('is what the scheduler makes of it: $others.length others', ({ others }) => {
    const added = work('a', 100);
    const estimate = doneAfter(added, others);
    const tenants = new Set([...others, added].map(({ tenant }) => tenant)).size;
    expect(Math.abs(simulated(added, others) - estimate)).toBeLessThanOrEqual(tenants + others.length);
  });
});

describe('what cannot be in time', () => {
  const refusal = (milliseconds: number, left: number, others: readonly Work[]) => {
    try {
      checkInTime(work('a', milliseconds), left, others);
      return null;
    } catch (error) {
      return error instanceof ServiceError ? [error.code, error.retryAfterSeconds] : error;
    }
  };

  it.each([
    { what: 'fits', milliseconds: 9000, left: 10_000, others: [], expected: null },
    {
      what: 'is too much for an idle runner',
      milliseconds: 11_000,
      left: 10_000,
      others: [],
      expected: ['deadline_exceeded', undefined],
    },
    {
      what: 'would fit later',
      milliseconds: 9000,
      left: 10_000,
      others: [work('b', 4000)],
      expected: ['runner_busy', 3],
    },
    {
      what: 'would fit much later',
      milliseconds: 9000,
      left: 10_000,
      others: Array.from({ length: 50 }, (_, n) => work(`t${n}`, 9000)),
      expected: ['runner_busy', 60],
    },
    {
      what: 'fits beside a flood of another',
      milliseconds: 4000,
      left: 10_000,
      others: Array(50).fill(work('b', 60_000)),
      expected: null,
    },
    { what: 'was never measured', milliseconds: 0, left: 1, others: [work('b', 4000)], expected: null },
  ])('$what', ({ milliseconds, left, others, expected }) =>
    expect(refusal(milliseconds, left, others)).toEqual(expected),
  );
});

describe('the cost of a window', () => {
  const small: WindowKind = { architecture: SMALL, window: SMALL_WINDOW, kind: 'head' };
  const large: WindowKind = { ...small, window: [64, 64, 64] };

  it('is guessed by its size until it was measured, and then what was measured', () => {
    const costs = new CostModel();
    expect(costs.measured(small)).toBeNull();
    expect(costs.estimate(large) / costs.estimate(small)).toBeCloseTo(4);
    costs.learn(small, 50);
    expect(costs.estimate(small)).toBe(50);
    expect(costs.estimate(large)).toBeCloseTo(200);
    costs.learn(large, 120);
    expect(costs.measured(large)).toEqual({ mean: 120, least: 120 });
    expect(costs.estimate(small)).toBe(50);
  });

  it('follows a device that becomes slower, and remembers the least', () => {
    const costs = new CostModel();
    costs.learn(small, 40);
    for (let n = 0; n < 50; n++) costs.learn(small, 100);
    expect(costs.estimate(small)).toBeCloseTo(100, 1);
    expect(costs.measured(small)?.least).toBe(40);
  });

  it('is never nothing', () => {
    const costs = new CostModel();
    costs.learn(small, 0);
    expect(costs.estimate(small)).toBeGreaterThan(0);
  });
});
