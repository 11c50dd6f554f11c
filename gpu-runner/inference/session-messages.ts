import type { Architecture } from '../../schemas/architecture.ts';
import type { ErrorCode } from '../../schemas/errors.ts';
import type { WeightsFile } from '../adapter/weights-file.ts';
import type { DecidedKind } from './decision.ts';
import type { Provider, RunRequest, RunTimings } from './session-types.ts';

/** A base as the child process knows it: its parameters lie in a weights file. */
export interface RegisteredBase {
  readonly digest: string;
  readonly architecture: Architecture;
  readonly weightsPath: string;
}

export interface ChildSettings {
  readonly providers: readonly Provider[];
  /** Threads of one session; 0 lets onnxruntime decide. */
  readonly threads: number;
  readonly maxSessions: number;
  /** For the windows of those sessions together. */
  readonly memoryBytes: number;
  /** Removed by a child that outlives its parent. */
  readonly directories: readonly string[];
}

/** A run as it travels: its adapter and its volume lie in files. */
export interface SentRun extends Omit<RunRequest, 'adapter' | 'runId' | 'volume'> {
  readonly adapter: WeightsFile | null;
  readonly volumePath: string;
  /** Where what is decided is to be written. */
  readonly decidedPath: string;
  readonly tenant: string;
  /** Epoch milliseconds; infinite where there is none. */
  readonly deadline: number;
}

/** What the host tells its child. `id` is the host's own number of a run. */
export type ToChild =
  | { readonly type: 'start'; readonly settings: ChildSettings }
  | { readonly type: 'base'; readonly base: RegisteredBase }
  | { readonly type: 'forget-base'; readonly digest: string }
  | { readonly type: 'run'; readonly id: number; readonly run: SentRun }
  | { readonly type: 'cancel'; readonly id: number }
  /** Asks for a sign of life. */
  | { readonly type: 'pulse' };

export type RunReply =
  | {
      readonly type: 'progress';
      readonly id: number;
      readonly done: number;
      readonly total: number;
      /** Of the last window. */
      readonly milliseconds: number;
      /** Whether the network ran for it. */
      readonly ran: boolean;
    }
  | {
      readonly type: 'done';
      readonly id: number;
      readonly decided: DecidedKind;
      readonly windows: number;
      readonly timings: Omit<RunTimings, 'queue'>;
    }
  | { readonly type: 'failed'; readonly id: number; readonly code: ErrorCode; readonly message: string };

/** What the child answers. */
export type FromChild =
  | { readonly type: 'ready'; readonly provider: Provider; readonly refused: readonly string[] }
  | { readonly type: 'unable'; readonly refused: readonly string[] }
  /** Why the self-probe failed, null where it worked, and how many sessions are kept. */
  | { readonly type: 'pulse'; readonly failure: string | null; readonly sessions: number }
  | RunReply;
