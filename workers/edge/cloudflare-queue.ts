import type { JobMessage, JobQueue } from './job-queue.ts';

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
