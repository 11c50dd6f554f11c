import { ServiceError } from '../../../../schemas/errors.ts';
import { chunksOf } from '../../body-stream.ts';
import type { Ports } from '../../ports.ts';

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

/** The length that a runner told. Throws `bad_runner_reply`. */
export function lengthOf(contentLength: string | null): number {
  const length = Number(contentLength ?? Number.NaN);
  if (!Number.isSafeInteger(length)) throw new ServiceError('bad_runner_reply', 'The runner told no length.');
  return length;
}

/** `params` and `image` as the `multipart/form-data` that MONAI Label answers, of known length and as it is read. */
export function resultForm(ports: Ports, params: object, { body, length, filename }: LabelMap): ResultForm {
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
  const total = head.byteLength + length + end.byteLength;
  const { readable, writable } = new FixedLengthStream(total);
  const write = async (): Promise<void> => {
    const writer = writable.getWriter();
    try {
      await writer.write(head);
      for await (const chunk of chunksOf(body)) await writer.write(chunk);
      await writer.write(end);
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
      await body.cancel(error).catch(() => {});
    }
  };
  ports.later(write());
  return { body: readable, contentType: `multipart/form-data; boundary=${boundary}`, length: total };
}
