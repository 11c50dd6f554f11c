import { chunksOf } from '../../body-stream.ts';

export interface ResultForm {
  readonly body: ReadableStream<Uint8Array>;
  readonly contentType: string;
  readonly length: number;
}

interface LabelMap {
  readonly body: ReadableStream<Uint8Array>;
  readonly length: number;
  /** A client writes the file under this name, and tells by it how to read it. */
  readonly filename: string;
}

/** `params` and `image` as the `multipart/form-data` that MONAI Label answers, of known length and as it is read. */
export function resultForm(params: object, { body, length, filename }: LabelMap): ResultForm {
  const boundary = `pdora-${crypto.randomUUID()}`;
  const encoder = new TextEncoder();
  const head = encoder.encode(
    [
      `--${boundary}`,
      'Content-Disposition: form-data; name="params"',
      'Content-Type: application/json',
      '',
      JSON.stringify(params),
      `--${boundary}`,
      `Content-Disposition: form-data; name="image"; filename="${filename}"`,
      'Content-Type: application/octet-stream',
      '',
      '',
    ].join('\r\n'),
  );
  const end = encoder.encode(`\r\n--${boundary}--\r\n`);
  const chunks = partsOf(head, body, end);
  const made = new ReadableStream<Uint8Array>({
    async pull(controller) {
      const { value, done } = await chunks.next();
      if (done === true) controller.close();
      else controller.enqueue(value);
    },
    cancel: (reason) => body.cancel(reason),
  });
  return {
    body: made,
    contentType: `multipart/form-data; boundary=${boundary}`,
    length: head.byteLength + length + end.byteLength,
  };
}

async function* partsOf(
  head: Uint8Array,
  body: ReadableStream<Uint8Array>,
  end: Uint8Array,
): AsyncGenerator<Uint8Array, undefined> {
  yield head;
  // What is queued on its way out must not be overwritten by the next.
  for await (const chunk of chunksOf(body)) yield chunk.slice();
  yield end;
}
