import { rmSync } from 'node:fs';
import { findProvider, openSession, type SessionSpec } from './onnx-session.ts';
import type { ChildSettings, FromChild, ToChild } from './session-messages.ts';
import { SessionPool } from './session-pool.ts';
import { SessionWorker } from './session-worker.ts';

/**
 * The child process of a session host, one a device. It holds the sessions, because a run blocks its process for the
 * length of a window. It ends with its parent, and leaves a terminal's signals to it: what runs may end first.
 */

interface Started {
  readonly worker: SessionWorker;
  readonly answerPulse: () => Promise<void>;
}

let starting: Promise<Started | null> = Promise.resolve(null);

process.on('message', (message: ToChild) => {
  if (message.type === 'start') starting = start(message.settings);
  else void starting.then((started) => handle(started, message));
});
process.on('SIGINT', () => {});
process.on('SIGTERM', () => {});

function handle(started: Started | null, message: Exclude<ToChild, { type: 'start' }>): void {
  if (message.type === 'pulse') void started?.answerPulse();
  else started?.worker.handle(message);
}

async function start(settings: ChildSettings): Promise<Started | null> {
  const { providers, threads, maxSessions, memoryBytes, directories } = settings;
  process.on('disconnect', () => {
    for (const directory of directories) rmSync(directory, { recursive: true, force: true });
    process.exit();
  });
  const { found, refused } = await findProvider(providers);
  if (found === null) {
    send({ type: 'unable', refused });
    return null;
  }
  const { provider, probe } = found;
  send({ type: 'ready', provider, refused });
  const open = async (spec: SessionSpec) => await openSession(spec, provider, threads);
  const pool = new SessionPool({ max: maxSessions, memoryBytes }, open);
  const answerPulse = async () => {
    const failure = await probe().then(
      () => null,
      (error: unknown) => String(error),
    );
    send({ type: 'pulse', failure, sessions: pool.size });
  };
  return { worker: new SessionWorker(pool, send, Date.now), answerPulse };
}

function send(message: FromChild): void {
  process.send?.(message, (error: Error | null) => {
    // The parent is gone; its disconnecting is about to be heard.
    if (error !== null && process.connected) process.disconnect();
  });
}
