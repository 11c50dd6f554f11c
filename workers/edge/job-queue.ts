/** What starts a job: the row in the database is the truth, a message only says that it is time to look. */
export interface JobMessage {
  readonly job: string;
  /** What the job's `lease_until` was set to with this message: of several messages for a job, one begets the next. */
  readonly due: number;
}

export interface JobQueue {
  send(messages: readonly JobMessage[], delaySeconds?: number): Promise<void>;
}
