import { chunksOf, drained } from '../../body-stream.ts';

/** A request's body on its way to a runner. */
export interface ForwardedBody {
  /** What the runner is sent; null without a body. */
  readonly stream: ReadableStream<Uint8Array> | null;
  /** Whether it ended before its promised length: the caller broke off. */
  brokeOff(): boolean;
  /** Sends no more, and reads what is left so that the caller can be answered. */
  drain(): Promise<void>;
}

/** Passes a body of known length on at the speed of the slower side, without holding it. */
export function forwardBody(body: ReadableStream<Uint8Array> | null, length: number): ForwardedBody {
  if (body === null) return { stream: null, brokeOff: () => false, drain: async () => {} };
  return forwardChunks(chunksOf(body), length);
}

/** As `forwardBody`, of a body that is read in chunks already. */
export function forwardChunks(chunks: AsyncIterable<Uint8Array>, length: number): ForwardedBody {
  const { readable, writable } = new FixedLengthStream(length);
  const writer = writable.getWriter();
  let broken = false;
  const passed = pass(chunks, writer).catch((error: unknown) => {
    broken = true;
    return writer.abort(error).catch(() => {});
  });
  return {
    stream: readable,
    brokeOff: () => broken,
    async drain() {
      await writer.abort().catch(() => {});
      await drained(passed);
    },
  };
}

/** Goes on reading when the other side does not, which a pipe between the two would not. */
async function pass(chunks: AsyncIterable<Uint8Array>, writer: WritableStreamDefaultWriter<Uint8Array>): Promise<void> {
  let listening = true;
  for await (const chunk of chunks) {
    if (!listening) continue;
    await writer.write(chunk).catch(() => {
      listening = false;
    });
  }
  if (listening) await writer.close().catch(() => {});
}
