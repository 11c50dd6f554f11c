import { rmSync } from 'node:fs';
import { findProvider, openSession, type SessionSpec } from './onnx-session.ts';
import type { ChildSettings, FromChild, ToChild } from './session-messages.ts';
import { SessionPool } from './session-pool.ts';
import { SessionWorker } from './session-worker.ts';

/**
 * The child process of a session host, one a device. It holds the sessions, because a run blocks its process for the
 * length of a window. It ends with its parent, and leaves a terminal's signals to it: what runs may end first.
 */

let worker: Promise<SessionWorker | null> = Promise.resolve(null);

process.on('message', (message: ToChild) => {
  if (message.type === 'start') worker = start(message.settings);
  else void worker.then((started) => started?.handle(message));
});
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

async function start(settings: ChildSettings): Promise<SessionWorker | null> {
  const { providers, threads, maxSessions, memoryBytes, directories } = settings;
  process.on('disconnect', () => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
    process.exit();
  });
  const { provider, refused } = await findProvider(providers);
  if (provider === null) {
    send({ type: 'unable', refused });
    return null;
  }
  send({ type: 'ready', provider, refused });
  const open = async (spec: SessionSpec) => await openSession(spec, provider, threads);
  const pool = new SessionPool({ max: maxSessions, memoryBytes }, open);
  return new SessionWorker(pool, send, Date.now);
}

function send(message: FromChild): void {
  process.send?.(message, (error: Error | null) => {
    // The parent is gone; its disconnecting is about to be heard.
    if (error !== null && process.connected) process.disconnect();
  });
}
