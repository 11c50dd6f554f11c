import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { SessionPulse } from '../../../gpu-runner/inference/session-pulse.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** A child whose answers and processor time the test decides. */
function watched(child: { answers: boolean; cpu: number | null }) {
  const dead = vi.fn();
  const pulse: SessionPulse = new SessionPulse({
    everyMs: 2_000,
    silentMs: 8_000,
    endedMs: 60_000,
    now: () => Date.now(),
    cpuTime: () => child.cpu,
    ask: () => child.answers && pulse.probed(true),
    onDead: dead,
  });
  return { pulse, dead };
}

test('a child that answers is ready for as long as it does', () => {
  const { pulse, dead } = watched({ answers: true, cpu: 5 });
  vi.advanceTimersByTime(600_000);
  expect(pulse.health).toBe('ready');
  expect(dead).not.toHaveBeenCalled();
});

test('one that neither answers nor computes is silent within ten seconds, and ready with its first word', () => {
  const child = { answers: true, cpu: 5 };
  const { pulse } = watched(child);
  vi.advanceTimersByTime(20_000);
  child.answers = false;
  vi.advanceTimersByTime(10_000);
  expect(pulse.health).toBe('silent');
  pulse.beat();
  expect(pulse.health).toBe('ready');
});

test('one that is silent for a minute is ended', () => {
  const { pulse, dead } = watched({ answers: false, cpu: 5 });
  vi.advanceTimersByTime(58_000);
  expect(dead).not.toHaveBeenCalled();
  vi.advanceTimersByTime(10_000);
  expect(dead).toHaveBeenCalled();
  pulse.end();
});

test('one that computes a long window and cannot answer is ready', () => {
  const child = { answers: false, cpu: 5 };
  const { pulse, dead } = watched(child);
  for (let second = 0; second < 300; second++) {
    child.cpu += 1;
    vi.advanceTimersByTime(1_000);
    expect(pulse.health).toBe('ready');
  }
  expect(dead).not.toHaveBeenCalled();
});

test('where the system tells no processor time, none is called silent', () => {
  const { pulse, dead } = watched({ answers: false, cpu: null });
  vi.advanceTimersByTime(300_000);
  expect([pulse.health, dead.mock.calls.length]).toEqual(['ready', 0]);
});

test('a child whose own probe failed has failed until one works', () => {
  const { pulse } = watched({ answers: false, cpu: 5 });
  pulse.probed(false);
  expect(pulse.health).toBe('failed');
  pulse.probed(true);
  expect(pulse.health).toBe('ready');
});
