import type { Format } from '../../../schemas/answer-formats.ts';
import type { OUTPUTS } from '../../../schemas/api.ts';
import type { FormatProblem } from '../../../schemas/errors.ts';
import type { RunReport } from '../../../schemas/report.ts';
import type { TraceContext } from '../../../schemas/trace.ts';

/** A file and the permission to fetch it. */
export interface GrantedFile {
  readonly digest: string;
  readonly grant: string;
}

export interface RunSubject {
  readonly runId: string;
  readonly trace: TraceContext;
  readonly base: { readonly digest: string; readonly file: GrantedFile };
  /** Null runs, or verifies, the base alone. */
  readonly adapter: GrantedFile | null;
}

export interface SegmentCall extends RunSubject {
  readonly tenant: string;
  readonly output: (typeof OUTPUTS)[number];
  readonly format: Format;
  /** Milliseconds since 1970. */
  readonly deadline: number;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly contentType: string;
  readonly signal: AbortSignal;
}

/** What the runner says it did; whether that is what was asked for is the caller's to compare. */
export interface SegmentReply {
  /** The address of the runner that answered. */
  readonly runner: string;
  readonly adapterDigest: string | null;
  readonly baseDigest: string | null;
  readonly cache: 'hot' | 'warm' | 'cold';
  readonly serverTiming: string;
  /** Of the answer's grid; null where the runner does not say. */
  readonly voxels: number | null;
  /** Null where the runner tells none. */
  readonly report: RunReport | null;
  readonly contentLength: string | null;
  readonly body: ReadableStream<Uint8Array>;
}

/** The runners as the services see them. A runner is known by its address. */
export interface RunnerClient {
  /** Over all runners, asked now. */
  status(): Promise<{ ready: number; total: number }>;
  /** Ready runners, the one that should have the file first. `digest` is the adapter's, or the base's where it runs alone. */
  ready(digest: string): Promise<string[]>;
  /**
   * What a runner finds wrong with the adapter, or with the base where there is none. Tries one runner after another
   * while none has answered. Throws `ServiceError`.
   */
  verify(subject: RunSubject): Promise<FormatProblem[]>;
  /**
   * One runner, one try: a body that was streamed is gone. Throws `ServiceError`: `runner_busy` where every runner that
   * is alive is full, `runner_unavailable` where none is alive or the one that was chosen breaks off.
   */
  segment(call: SegmentCall): Promise<SegmentReply>;
  /** As `segment`, on the runner with this address. */
  segmentOn(runner: string, call: SegmentCall): Promise<SegmentReply>;
  /** 0 to 1, null where the runner does not know the run or does not answer. */
  progress(runner: string, runId: string): Promise<number | null>;
  /** Best effort. */
  cancel(runner: string, runId: string): Promise<void>;
}
