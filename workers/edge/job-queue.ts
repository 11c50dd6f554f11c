/** What starts a job: the row in the database is the truth, a message only says that it is time to look. */
export interface JobMessage {
  readonly job: string;
  /** What the job's `lease_until` was set to with this message: of several messages for a job, one begets the next. */
  readonly due: number;
}

export interface JobQueue {
  send(messages: readonly JobMessage[], delaySeconds?: number): Promise<void>;
}

const MESSAGES_AT_ONCE = 100;

export function cloudflareQueue(queue: Queue<JobMessage>): JobQueue {
  return {
    async send(messages, delaySeconds = 0) {
      for (let at = 0; at < messages.length; at += MESSAGES_AT_ONCE) {
        const some = messages.slice(at, at + MESSAGES_AT_ONCE).map((body) => ({ body, delaySeconds }));
        await queue.sendBatch(some);
      }
    },
  };
}
