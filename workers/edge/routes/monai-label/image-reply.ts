import type { ImageRecord } from '../../store/image-store.ts';

/** An image that a client left, as a file. */
export function imageReply({ size, extension }: ImageRecord, body: ReadableStream<Uint8Array>): Response {
  return new Response(body.pipeThrough(new FixedLengthStream(size)), {
    headers: {
      'content-type': 'application/octet-stream',
      'content-length': String(size),
      'content-disposition': `attachment; filename="image${extension}"`,
    },
  });
}
