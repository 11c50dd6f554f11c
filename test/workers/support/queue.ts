import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test';
import worker from '../../../workers/edge/index.ts';
import type { JobMessage } from '../../../workers/edge/job-queue.ts';

/** A queue that keeps its messages until a test delivers them, so that their order and loss are the test's. */
export interface HeldQueue {
  readonly binding: Queue<JobMessage>;
  /** Sent and not yet delivered. */
  readonly waiting: { body: JobMessage; delaySeconds: number }[];
  /** Delivers what waits, as one batch; answers how many were to be tried again. */
  deliver(env: Env): Promise<{ acked: number; retried: number }>;
}

export function heldQueue(): HeldQueue {
  const waiting: HeldQueue['waiting'] = [];
  const sent = { metadata: { metrics: { backlogCount: 0, backlogBytes: 0 } } };
  const binding: Queue<JobMessage> = {
    async send(body, options) {
      waiting.push({ body, delaySeconds: options?.delaySeconds ?? 0 });
      return sent;
    },
    async sendBatch(messages) {
      for (const { body, delaySeconds } of messages) waiting.push({ body, delaySeconds: delaySeconds ?? 0 });
      return sent;
    },
    async metrics() {
      return sent.metadata.metrics;
    },
  };
  return {
    binding,
    waiting,
    async deliver(env) {
      const told = { acked: 0, retried: 0 };
      const messages = waiting.splice(0).map(({ body }) => ({
        id: crypto.randomUUID(),
        timestamp: new Date(),
        body,
        attempts: 1,
        ack: () => void told.acked++,
        retry: () => void told.retried++,
      }));
      const context = createExecutionContext();
      const batch = { queue: 'pdora-jobs', messages, metadata: sent.metadata, ackAll: () => {}, retryAll: () => {} };
      await worker.queue(batch, env, context);
      await waitOnExecutionContext(context);
      return told;
    },
  };
}
