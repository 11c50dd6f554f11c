import { afterEach, beforeEach, vi } from 'vitest';
import { runnersSeen } from '../../../workers/edge/ports.ts';
import { freshState, makeKey, makeTenant } from './edge.ts';
import { serveBase } from './files.ts';
import { type RunnerStub, stubRunner } from './runner-stub.ts';

/** Two tenants with a key each, one base, and a runner that finds nothing wrong. */
export interface World {
  runner: RunnerStub;
  /** Of the tenant `acme`. */
  key: string;
  /** Of the tenant `umbrella`. */
  other: string;
}

/** As if no runner had been looked at within the last second. */
export function forgetRunners(): void {
  runnersSeen.seen.clear();
  runnersSeen.asking.clear();
}

/** Makes the world anew before every test of the file; read it inside tests. */
export function useWorld(): World {
  const world: World = { runner: stubRunner(), key: '', other: '' };
  beforeEach(async () => {
    world.runner = stubRunner();
    await freshState();
    forgetRunners();
    await makeTenant('acme');
    await makeTenant('umbrella');
    world.key = (await makeKey('acme')).key;
    world.other = (await makeKey('umbrella')).key;
    await serveBase();
    world.runner.calls.length = 0;
  });
  afterEach(() => {
    vi.unstubAllGlobals();
  });
  return world;
}
