import type { ServiceError } from '../../schemas/errors.ts';
import { BaseWeights, type RegistrableBase } from './base-weights.ts';
import { ChildKeeper, type SessionLog } from './child-keeper.ts';
import { DeviceRuns, type OnWindow } from './device-runs.ts';
import { Exchange } from './exchange.ts';
import { CostModel, type WindowKind } from './scheduler/cost-model.ts';
import type { RunReply } from './session-messages.ts';
import type { PulseTimes, SessionHealth } from './session-pulse.ts';
import type { NetworkRunner, Provider, RunOptions, RunRequest, RunResult, WindowRequest } from './session-types.ts';
import { checkWindowMemory } from './window-memory.ts';

export type { SessionLog } from './child-keeper.ts';
export type * from './session-types.ts';

export interface SessionHostOptions {
  /** Tried in order. */
  readonly providers: readonly Provider[];
  /** Threads of one session; left out, onnxruntime decides. */
  readonly threads?: number | undefined;
  /** Sessions kept ready, each with the memory that a window takes. */
  readonly maxSessions?: number | undefined;
  /** Runs that share the device; the others wait for a place. */
  readonly maxActive?: number | undefined;
  /** For the windows of those sessions together; one that needs more alone is refused. Left out, there is no limit. */
  readonly memoryBytes?: number | undefined;
  /** A child that has a run and is silent for so long is killed. */
  readonly stallSeconds?: number | undefined;
  /** When a child counts as standing still. */
  readonly pulse?: PulseTimes | undefined;
  readonly log: SessionLog;
  /** Called for each window that the device has done. */
  readonly onWindow?: OnWindow | undefined;
}

/** The memory of their windows bounds them too, where there is such a limit. */
const MAX_SESSIONS = 8;
const MAX_ACTIVE = 32;
/** A window of 192^3 at feature size 48 takes minutes on few CPU cores. */
const STALL_SECONDS = 1200;
/** Self-tests are one tenant, so that a flood of uploads takes one tenant's share of the device. No tenant's name has a space. */
const SELFTEST_TENANT = 'self test';

/**
 * The parent's side of a device: sessions, windows and blending live in a child process, so that this process answers
 * while runs go on. The child shares the device between the runs that it has, up to `maxActive`; the others wait here,
 * so a child that dies takes only the runs it had, and the next child goes on with the others.
 */
export class SessionHost implements NetworkRunner {
  readonly #weights = new BaseWeights();
  readonly #exchange: Exchange;
  readonly #keeper: ChildKeeper;
  readonly #runs: DeviceRuns;
  readonly #memoryBytes: number;
  readonly #costs = new CostModel();

  constructor(options: SessionHostOptions) {
    const { providers, threads = 0, maxSessions = MAX_SESSIONS, maxActive = MAX_ACTIVE, stallSeconds, log } = options;
    const { memoryBytes = Number.POSITIVE_INFINITY, onWindow } = options;
    this.#memoryBytes = memoryBytes;
    this.#exchange = new Exchange(Number.isFinite(memoryBytes) ? memoryBytes : 0);
    this.#runs = new DeviceRuns({
      device: () => this.#keeper,
      exchange: this.#exchange,
      costs: this.#costs,
      maxActive,
      stallMilliseconds: 1000 * (stallSeconds ?? STALL_SECONDS),
      log,
      onWindow,
    });
    const events = {
      onReady: () => this.#runs.next(),
      onReply: (reply: RunReply) => this.#runs.onReply(reply),
      onLost: () => this.#runs.onLost(),
      onGivenUp: (error: ServiceError) => this.#runs.rejectWaiting(error),
    };
    const bases = () => this.#weights.all.values();
    const directories = [this.#weights.directory, this.#exchange.directory];
    const settings = { providers, threads, maxSessions, memoryBytes, directories };
    this.#keeper = new ChildKeeper(settings, bases, events, log, options.pulse);
  }

  /** The provider that runs here. Rejects with `runner_unavailable` where no child can be started. */
  async ready(): Promise<{ provider: Provider }> {
    return await this.#keeper.ready();
  }

  /** Whether a child is up and gets on; it may be busy. */
  health(): SessionHealth {
    return this.#keeper.health;
  }

  /** Children that were started in place of one that ended. */
  get restarts(): number {
    return this.#keeper.restarts;
  }

  /** Sessions kept ready. */
  get sessions(): number {
    return this.#keeper.sessions;
  }

  /** Runs that wait or run. */
  get queueLength(): number {
    return this.#runs.length;
  }

  get childPid(): number | undefined {
    return this.#keeper.link?.pid;
  }

  /** Where weights lie that the child reads; it goes with the host. */
  get weightsFolder(): string {
    return this.#weights.directory;
  }

  windowMilliseconds(window: WindowKind): number | null {
    return this.#costs.measured(window)?.mean ?? null;
  }

  /** Makes a base known to this host and its children; the same digest again changes nothing. */
  async registerBase(base: RegistrableBase): Promise<void> {
    await this.#weights.add(base, (registered) => this.#keeper.link?.registerBase(registered));
  }

  /** Gives up a base's file. A run that still waits for the base fails. */
  async forgetBase(digest: string): Promise<void> {
    this.#keeper.link?.forgetBase(digest);
    await this.#weights.forget(digest);
  }

  /**
   * Takes a volume through the network. Rejects with `cancelled` (or the signal's own `ServiceError`) at once when the
   * signal is aborted, while the device is free after the window it is in; with `deadline_exceeded` as soon as it cannot
   * be done in time; with `runner_unavailable` when the child dies under the run; with `channel_mismatch`,
   * `invalid_volume` or `invalid_adapter` for what cannot be fed, and `invalid_adapter` or, without one, `invalid_base`
   * for a window that takes more memory than there is.
   */
  async run(request: RunRequest, options: RunOptions = {}): Promise<RunResult> {
    const windowKind = this.#checkRun(request);
    this.#keeper.wake();
    return await this.#runs.run(request, options, windowKind);
  }

  /** Takes one window through the network and answers its logits `[classes, ...window]`. */
  async runWindow({ base, window, adapter, input }: WindowRequest): Promise<Float32Array> {
    const architecture = this.#weights.all.get(base)?.architecture;
    if (architecture === undefined) throw new Error(`the base ${base} is not registered`);
    const request: RunRequest = {
      runId: 'window',
      base,
      window,
      overlap: 0,
      blend: 'constant',
      adapter,
      volume: input,
      channels: architecture.in_channels,
      classes: adapter?.classes ?? architecture.out_channels,
      shape: window,
      decision: { kind: 'logits' },
    };
    const { decided } = await this.run(request, { tenant: SELFTEST_TENANT });
    if (decided.kind !== 'values') throw new Error('the run answered no logits');
    return decided.values;
  }

  /** The window of a run is checked before; that of a self-test comes here as it is. */
  #checkRun({ base, window, adapter, volume, channels, shape }: RunRequest): WindowKind {
    const registered = this.#weights.all.get(base);
    if (registered === undefined) throw new Error(`the base ${base} is not registered`);
    const { architecture } = registered;
    const fault = {
      code: adapter === null ? 'invalid_base' : 'invalid_adapter',
      path: 'manifest.selftest.roi_size',
    } as const;
    checkWindowMemory({ architecture, window }, this.#memoryBytes, fault);
    const values = channels * shape[0] * shape[1] * shape[2];
    if (volume.length !== values) throw new Error(`expected a volume of ${values} values, found ${volume.length}`);
    return { architecture, window, kind: adapter?.kind ?? 'head' };
  }

  /** Ends the child and rejects what is left with `runner_unavailable`. */
  async close(): Promise<void> {
    this.#runs.close();
    await this.#keeper.close();
    await Promise.all([this.#weights.removeAll(), this.#exchange.removeAll()]);
  }
}
