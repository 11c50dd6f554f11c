import { parentPort } from 'node:worker_threads';
import { type ErrorCode, ServiceError } from '../../schemas/errors.ts';
import type { ThreadReply, ThreadRequest } from './volume-pool.ts';
import { VolumeWork } from './volume-work.ts';

/** The thread's side of `volume-pool.ts`: one volume at a time, so that work on voxels never holds up the server. */
let work = new VolumeWork();

async function serve(request: ThreadRequest): Promise<void> {
  try {
    if (request.kind === 'clear') {
      work = new VolumeWork();
    } else if (request.kind === 'decode') {
      reply({ kind: 'decoded', value: await work.decode(request.body) });
    } else if (request.kind === 'prepare') {
      const value = work.prepare();
      reply({ kind: 'prepared', value }, [value.volume.buffer]);
    } else {
      const value = await work.answer(request.body);
      reply({ kind: 'answered', value }, [value.body.buffer]);
    }
  } catch (error) {
    reply({ kind: 'failed', ...describe(error) });
  }
}

function reply(message: ThreadReply, transfer: ArrayBufferLike[] = []): void {
  parentPort?.postMessage(
    message,
    transfer.filter((buffer) => buffer instanceof ArrayBuffer),
  );
}

function describe(error: unknown): { code: ErrorCode | null; message: string } {
  if (error instanceof ServiceError) return { code: error.code, message: error.message };
  return { code: null, message: error instanceof Error ? (error.stack ?? error.message) : 'unknown' };
}

parentPort?.on('message', (request: ThreadRequest) => void serve(request));
