import type { JobMessage } from '../../job-queue.ts';
import type { Ports } from '../../ports.ts';

/** For how long a message is waited for before the sweeper sends another. */
export const DUE_AGAIN_MS = 60_000;

/** Sends messages. One that is lost is made up for by the sweeper, so that this fails nothing. */
export async function knock(ports: Ports, messages: readonly JobMessage[], delaySeconds = 0): Promise<void> {
  try {
    await ports.queue.send(messages, delaySeconds);
  } catch (error) {
    ports.log.warn('the queue took no message', error);
  }
}
