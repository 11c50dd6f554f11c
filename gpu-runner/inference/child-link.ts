import { type ChildProcess, fork } from 'node:child_process';
import type { PlacedAdapter } from '../adapter/placed.ts';
import { networkEnvironment } from './network-environment.ts';
import type { ChildSettings, FromChild, RegisteredBase, SentRun, ToChild } from './session-messages.ts';

/** One child process and what it has been told. */
export class ChildLink {
  readonly #process: ChildProcess;
  readonly exited: Promise<void>;

  constructor(
    settings: ChildSettings,
    bases: Iterable<RegisteredBase>,
    onMessage: (message: FromChild) => void,
    onExit: (how: string) => void,
  ) {
    this.#process = fork(new URL('./session-child.ts', import.meta.url), {
      serialization: 'advanced',
      // Volumes and weights lie outside the heap: without a bound, what little is made beside them is left to pile up.
      execArgv: ['--max-semi-space-size=8'],
      env: networkEnvironment(process.env),
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    this.#process.on('message', (message: FromChild) => onMessage(message));
    const { promise, resolve } = Promise.withResolvers<void>();
    this.exited = promise;
    const end = (how: string) => {
      resolve();
      onExit(how);
    };
    this.#process.once('exit', (code, signal) => end(signal ?? `code ${code}`));
    // A process that was never made has no exit.
    this.#process.on('error', (error) => (this.pid === undefined ? end(error.message) : this.kill()));
    this.#send({ type: 'start', settings });
    for (const base of bases) this.registerBase(base);
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  registerBase(base: RegisteredBase): void {
    this.#send({ type: 'base', base });
  }

  forgetBase(digest: string): void {
    this.#send({ type: 'forget-base', digest });
  }

  /** Sends a run; the child reads its adapter from its file. */
  run(id: number, run: Omit<SentRun, 'adapter'>, adapter: PlacedAdapter | null): void {
    this.#send({ type: 'run', id, run: { ...run, adapter: adapter?.weights ?? null } });
  }

  cancel(id: number): void {
    this.#send({ type: 'cancel', id });
  }

  askPulse(): void {
    this.#send({ type: 'pulse' });
  }

  kill(): void {
    this.#process.kill('SIGKILL');
  }

  #send(message: ToChild): void {
    // A child that is gone is met by its exit event; a failed send says nothing more.
    this.#process.send(message, () => {});
  }
}
