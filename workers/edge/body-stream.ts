/** Large enough that a body of 95 MB is a few hundred steps of JavaScript, small enough to hold many at a time. */
const CHUNK_BYTES = 256 * 1024;
/** For how long a caller that is still sending is listened to before it is answered. */
const DRAIN_MS = 10_000;

/**
 * A body in large chunks, each of which is overwritten by the next: they all share one piece of memory, for what a body
 * leaves behind is cleared away too seldom. Leaving the loop early lets the body go without cancelling it.
 */
export async function* chunksOf(body: ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = body.getReader({ mode: 'byob' });
  let space = new Uint8Array(CHUNK_BYTES);
  try {
    for (;;) {
      const { value, done } = await reader.readAtLeast(CHUNK_BYTES, space);
      if (value !== undefined && value.byteLength > 0) yield value;
      if (done) return;
      space = new Uint8Array(value.buffer);
    }
  } finally {
    reader.releaseLock();
  }
}

/** As `drained`, of a body that nobody has read from. */
export async function discarded(body: ReadableStream<Uint8Array> | null): Promise<void> {
  if (body !== null) await drained(readThrough(body));
}

/**
 * Waits for the end of a body that nobody wants, while `reading` reads it. A caller that is still sending when it is
 * answered would see a broken connection in place of the answer; one that never ends is answered anyway.
 */
export async function drained(reading: Promise<unknown>): Promise<void> {
  await Promise.race([reading.catch(() => {}), scheduler.wait(DRAIN_MS)]);
}

async function readThrough(body: ReadableStream<Uint8Array>): Promise<void> {
  const chunks = chunksOf(body);
  while ((await chunks.next()).done !== true);
}
