import type { Format } from '../../../schemas/answer-formats.ts';
import type { OUTPUTS } from '../../../schemas/api.ts';
import type { JobProblem, JobStatus } from '../../../schemas/api-jobs.ts';
import type { RunReport } from '../../../schemas/report.ts';
import type { TraceContext } from '../../../schemas/trace.ts';
import type { JobMessage } from '../job-queue.ts';
import type { AuditEntry } from './audit-store.ts';
import type { Quota } from './quota-store.ts';
import type { AdapterName, Page, Viewer } from './words.ts';

/** The adapter of a job as it was resolved when the job was taken in. */
export interface JobAdapter extends AdapterName {
  readonly version: number;
  readonly digest: string;
}

/** Where the volumes of a job are: one body as it came under `inputs/<job>`, or an upload for each channel. */
export type JobInput =
  | { readonly kind: 'body'; readonly contentType: string; readonly size: number }
  | { readonly kind: 'uploads'; readonly channels: readonly JobChannel[] };

export interface JobChannel {
  readonly channel: string;
  readonly upload: string;
  readonly size: number;
}

export interface NewJob {
  readonly id: string;
  /** Null is the operator. */
  readonly tenant: string | null;
  /** Who asked, as the audit names it, and with which request. */
  readonly actor: string;
  readonly requestId: string;
  /** Of that request: its attempts are part of it, however much later. */
  readonly trace: TraceContext;
  /** Null for the base alone. */
  readonly adapter: JobAdapter | null;
  readonly base: string;
  readonly output: (typeof OUTPUTS)[number];
  readonly format: Format;
  readonly input: JobInput;
  readonly createdAt: number;
  readonly deadlineAt: number;
}

export interface JobRecord extends NewJob {
  readonly status: JobStatus;
  /** 0 to 1. */
  readonly progress: number;
  /** The attempt under way, or the last. */
  readonly attempt: number;
  /** Attempts that were lost. */
  readonly failures: number;
  readonly lease: string | null;
  readonly leaseUntil: number;
  /** Address of the runner of the attempt. */
  readonly runner: string | null;
  readonly problem: JobProblem | null;
  readonly result: JobResult | null;
  readonly startedAt: number | null;
  readonly endedAt: number | null;
}

export interface JobResult {
  readonly bytes: number;
  readonly cache: string;
  readonly voxels: number | null;
  readonly serverTiming: string;
  readonly report: RunReport | null;
  /** It is kept until then. */
  readonly until: number;
}

export interface JobLease {
  readonly id: string;
  readonly runner: string;
  readonly now: number;
  readonly until: number;
}

/** What the tenant of a job may have; the operator (null) has no limits. */
export type JobQuota = Pick<Quota, 'waitingJobs' | 'storedBytes'>;

/** The place of a job in a list: newest first. */
export interface JobPlace {
  readonly createdAt: number;
  readonly id: string;
}

/**
 * Asynchronous segmentations. Every step is one statement that asks whether the step may still be taken, so that of two
 * who try, one does it. What ends a job writes its line of the audit with it.
 */
export interface JobStore {
  /** Queues a job, due at `dueAt`, where its tenant is still there and may have one more, with its input. */
  create(job: NewJob, dueAt: number, quota: JobQuota | null, entry: AuditEntry): Promise<boolean>;
  find(viewer: Viewer, id: string): Promise<JobRecord | null>;
  list(viewer: Viewer, page: Page<JobPlace>): Promise<JobRecord[]>;
  /** Starts an attempt on a job that is queued or whose attempt was lost; null where there is none to start. */
  claim(id: string, lease: JobLease): Promise<JobRecord | null>;
  /** Says that the attempt goes on; false where it no longer may: cancelled, erased or taken over. */
  renew(id: string, lease: string, until: number, progress: number | null): Promise<boolean>;
  /** Back into the queue, due at `at`; `spent` where the attempt counts as lost. False where it no longer had it. */
  giveBack(id: string, lease: string, at: number, spent: boolean): Promise<boolean>;
  /** Puts off a queued job that is due at `from`; false where it is no longer. */
  postpone(id: string, from: number, to: number): Promise<boolean>;
  succeed(id: string, lease: string, result: JobResult, now: number, entry: AuditEntry): Promise<boolean>;
  /** Ends an attempt, or (null) a job that none is under way for; false where that is no longer so. */
  fail(id: string, lease: string | null, problem: JobProblem, now: number, entry: AuditEntry): Promise<boolean>;
  /** Ends a job that has not ended; false where it has. */
  cancel(id: string, problem: JobProblem, now: number, entries: readonly AuditEntry[]): Promise<boolean>;
  /** Forgets a job that has ended; false where it has not, or is gone. */
  remove(id: string, entry: AuditEntry): Promise<boolean>;
  /** Jobs that nothing is at work on and no message is under way for, the longest waiting first, due anew at `to`. */
  sweep(now: number, to: number, limit: number): Promise<JobMessage[]>;
  /** The tenant's job that has waited longest. */
  oldestQueued(tenant: string): Promise<JobMessage | null>;
}
