import { SessionHost } from '../../gpu-runner/inference/session-host.ts';
import { hashedBase, SMALL, SMALL_WINDOW } from './network.ts';

/** A program for tests to kill: starts a long run and prints its child's process id in the middle of it. */
const host = new SessionHost({ providers: ['cpu'], threads: 1, log: { info: () => {}, warn: () => {} } });
await host.registerBase(hashedBase(SMALL));
const [i, j, k] = SMALL_WINDOW;
const shape = [i, j, 100 * k] as const;
await host.run(
  {
    runId: 'long',
    base: 'sha256:small',
    window: SMALL_WINDOW,
    overlap: 0,
    blend: 'constant',
    adapter: null,
    volume: new Float32Array(i * j * k * 100),
    channels: 1,
    classes: 2,
    shape,
    decision: { kind: 'logits' },
  },
  { onProgress: (done) => (done === 1 ? console.log(host.childPid) : undefined) },
);
