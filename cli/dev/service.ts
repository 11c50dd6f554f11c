import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { PROJECT_ROOT, projectPath } from '../root.ts';

/** A program that runs until it is told to stop; ended for any other reason, it is started again. */
export interface ServiceOptions {
  readonly name: string;
  /** A TypeScript file, run by this Node. */
  readonly script: string;
  readonly env: NodeJS.ProcessEnv;
  readonly log: (line: string) => void;
}

/** Started again at once the first time; what cannot start at all is not tried in a circle without pause. */
const RESTART_PAUSE_MS = 50;
const RESTART_PAUSE_MOST_MS = 1500;
const LONG_ENOUGH_MS = 5000;
const STOP_MOST_MS = 10_000;

export class Service {
  readonly #options: ServiceOptions;
  #child: ChildProcess | undefined;
  #stopping = false;
  #running: Promise<void> | undefined;

  constructor(options: ServiceOptions) {
    this.#options = options;
  }

  start(): void {
    this.#running = this.#keepUp();
  }

  /** Ends it: asks first, then kills it with all it started. */
  async stop(): Promise<void> {
    this.#stopping = true;
    const child = this.#child;
    if (child !== undefined && child.exitCode === null && child.signalCode === null) {
      child.kill('SIGTERM');
      const killer = setTimeout(() => killGroup(child), STOP_MOST_MS);
      await this.#running;
      clearTimeout(killer);
    }
    await this.#running;
  }

  async #keepUp(): Promise<void> {
    let pause = RESTART_PAUSE_MS;
    while (!this.#stopping) {
      const began = performance.now();
      const how = await this.#runOnce();
      if (this.#stopping) return;
      pause =
        performance.now() - began > LONG_ENOUGH_MS ? RESTART_PAUSE_MS : Math.min(RESTART_PAUSE_MOST_MS, pause * 2);
      this.#options.log(`${this.#options.name} ended (${how}); starting it again`);
      await sleep(pause);
    }
  }

  async #runOnce(): Promise<string> {
    const { script, env } = this.#options;
    const preload = projectPath('cli', 'dev', 'end-with-parent.ts');
    // A group of its own: Ctrl-C in the terminal reaches `dev` alone, which ends its children in order.
    const child = spawn(process.execPath, ['--import', preload, script], {
      cwd: PROJECT_ROOT,
      env,
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: true,
    });
    this.#child = child;
    this.#forward(child.stdout);
    this.#forward(child.stderr);
    const [code, signal]: (number | string | null)[] = await once(child, 'close').catch((error: unknown) => [
      String(error),
    ]);
    killGroup(child);
    return signal == null ? `status ${code}` : String(signal);
  }

  #forward(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => this.#options.log(`[${this.#options.name}] ${line}`));
  }
}

/** Whatever a child left behind when it died, such as workerd. */
function killGroup(child: ChildProcess): void {
  if (child.pid === undefined) return;
  try {
    process.kill(-child.pid, 'SIGKILL');
  } catch {
    // Nothing was left.
  }
}
