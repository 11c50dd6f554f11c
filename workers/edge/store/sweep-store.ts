/** A result in the bucket: the attempt of a job that wrote it. */
export interface ResultPlace {
  readonly job: string;
  readonly attempt: number;
}

/** What housekeeping asks of the tables, of all tenants. Times are milliseconds since 1970. */
export interface SweepStore {
  /** Those of these jobs that no longer need their input: they have ended, or are not there. */
  withoutInput(jobs: readonly string[]): Promise<Set<string>>;
  /** Those of these results that are not, or no longer, to be had: indices into the list. */
  withoutResult(places: readonly ResultPlace[], now: number): Promise<Set<number>>;
  /** Those of these images that are not there. */
  withoutImage(ids: readonly string[]): Promise<Set<string>>;
  /** Forgets jobs that ended before a time, and says how many. */
  forgetJobs(endedBefore: number, limit: number): Promise<number>;
  /** Forgets idempotency keys that ran out, and says how many. */
  forgetIdempotency(now: number, limit: number): Promise<number>;
  /** How far the objects under a prefix were looked through; undefined where that begins anew. */
  cursor(prefix: string): Promise<string | undefined>;
  keepCursor(prefix: string, cursor: string | undefined): Promise<void>;
}
