import { ServiceError } from '../../schemas/errors.ts';
import { ChildLink } from './child-link.ts';
import { cpuTime } from './process-cpu.ts';
import type { ChildSettings, FromChild, RegisteredBase, RunReply } from './session-messages.ts';
import { PULSE_TIMES, type PulseTimes, type SessionHealth, SessionPulse } from './session-pulse.ts';
import type { Provider } from './session-types.ts';

/** A structured log; pino's logger is one. */
export interface SessionLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

export interface KeeperEvents {
  /** A child is up and takes runs. */
  onReady(): void;
  onReply(reply: RunReply): void;
  /** The child is gone, and with it the run it had. */
  onLost(): void;
  /** No child could be started, several times in a row. The next `wake` tries again. */
  onGivenUp(error: ServiceError): void;
}

const START_ATTEMPTS = 3;
const RESTART_DELAY_MILLISECONDS = 100;

/** Keeps one child process up: starts it, starts it again when it dies, and says which provider it got. */
export class ChildKeeper {
  readonly #settings: ChildSettings;
  readonly #bases: () => Iterable<RegisteredBase>;
  readonly #events: KeeperEvents;
  readonly #log: SessionLog;
  readonly #times: PulseTimes;
  #link: ChildLink | null = null;
  #pulse: SessionPulse | null = null;
  #starts = 0;
  #sessions = 0;
  #provider: Provider | null = null;
  #ready = newReady();
  #failedStarts = 0;
  #restart: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    settings: ChildSettings,
    bases: () => Iterable<RegisteredBase>,
    events: KeeperEvents,
    log: SessionLog,
    times: PulseTimes = PULSE_TIMES,
  ) {
    this.#settings = settings;
    this.#bases = bases;
    this.#events = events;
    this.#log = log;
    this.#times = times;
    this.#start();
  }

  get link(): ChildLink | null {
    return this.#link;
  }

  /** Whether the child takes runs. */
  get up(): boolean {
    return this.#provider !== null;
  }

  get health(): SessionHealth {
    return this.#pulse?.health ?? 'starting';
  }

  /** Children that were started in place of one that ended. */
  get restarts(): number {
    return Math.max(0, this.#starts - 1);
  }

  /** Kept in the child, as it said last. */
  get sessions(): number {
    return this.#sessions;
  }

  async ready(): Promise<{ provider: Provider }> {
    this.wake();
    return await this.#ready.promise;
  }

  /** Tries again where starting was given up. */
  wake(): void {
    if (this.#closed || this.#link !== null || this.#restart !== undefined) return;
    this.#failedStarts = 0;
    this.#ready = newReady();
    this.#start();
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearTimeout(this.#restart);
    const link = this.#link;
    link?.kill();
    await link?.exited;
    this.#ready.reject(new ServiceError('runner_unavailable', 'The runner is stopping.'));
  }

  #start(): void {
    this.#restart = undefined;
    this.#starts += 1;
    const onMessage = (message: FromChild) => this.#onMessage(message);
    this.#link = new ChildLink(this.#settings, this.#bases(), onMessage, (how) => this.#onExit(how));
  }

  #onMessage(message: FromChild): void {
    this.#pulse?.beat();
    if (message.type === 'pulse') {
      this.#onPulse(message.failure, message.sessions);
    } else if (message.type === 'unable') {
      this.#log.warn({ refused: message.refused }, 'no provider runs here');
      this.#link?.kill();
    } else if (message.type === 'ready') {
      const { provider, refused } = message;
      this.#log.info({ provider, refused }, `the network runs on ${provider}`);
      this.#provider = provider;
      this.#failedStarts = 0;
      this.#pulse = this.#newPulse();
      this.#ready.resolve({ provider });
      this.#events.onReady();
    } else {
      this.#events.onReply(message);
    }
  }

  #newPulse(): SessionPulse {
    const link = this.#link;
    return new SessionPulse({
      ...this.#times,
      now: () => performance.now(),
      cpuTime: () => (link?.pid === undefined ? null : cpuTime(link.pid)),
      ask: () => link?.askPulse(),
      onDead: () => {
        this.#log.warn({}, 'the session process stands still and is ended');
        link?.kill();
      },
    });
  }

  /** A device that fails once fails ever after in that process, so that a new one is started. */
  #onPulse(failure: string | null, sessions: number): void {
    this.#sessions = sessions;
    this.#pulse?.probed(failure === null);
    if (failure === null) return;
    this.#log.warn({ failure }, "the session process's own probe failed");
    this.#link?.kill();
  }

  #onExit(how: string): void {
    const wasUp = this.up;
    this.#pulse?.end();
    this.#pulse = null;
    this.#sessions = 0;
    this.#link = null;
    this.#provider = null;
    this.#failedStarts = wasUp ? 0 : this.#failedStarts + 1;
    this.#events.onLost();
    if (this.#closed) return;
    this.#log.warn({ how, failedStarts: this.#failedStarts }, 'the session process ended');
    if (wasUp) this.#ready = newReady();
    if (this.#failedStarts < START_ATTEMPTS) {
      this.#restart = setTimeout(() => this.#start(), RESTART_DELAY_MILLISECONDS);
      return;
    }
    const error = new ServiceError('runner_unavailable', 'The session process cannot be started.');
    this.#ready.reject(error);
    this.#events.onGivenUp(error);
  }
}

function newReady(): PromiseWithResolvers<{ provider: Provider }> {
  const ready = Promise.withResolvers<{ provider: Provider }>();
  // It may be that nobody waits for it; runs in the queue hear of a failure by `onGivenUp`.
  ready.promise.catch(() => {});
  return ready;
}
