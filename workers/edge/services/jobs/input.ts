import { ServiceError } from '../../../../schemas/errors.ts';
import { lastLine, PART_END, partHead } from '../../../../schemas/multipart.ts';
import { chunksOf } from '../../body-stream.ts';
import type { Ports } from '../../ports.ts';
import type { JobInput, JobRecord } from '../../store/job-store.ts';
import { inputKey, uploadKey } from './job-key.ts';

export interface OpenInput {
  readonly body: ReadableStream<Uint8Array>;
  readonly contentType: string;
}

/** The volumes of a job as one body of known length. Throws `expired` where they are no longer there. */
export async function openInput(ports: Ports, job: JobRecord): Promise<OpenInput> {
  if (job.input.kind === 'body') {
    const { body } = await open(ports, inputKey(job.id));
    const { size, contentType } = job.input;
    return { body: body.pipeThrough(new FixedLengthStream(size)), contentType };
  }
  const [only, ...more] = job.input.channels;
  if (only === undefined || more.length > 0) return openUploads(ports, job.input);
  // A body that is the volume itself takes the runner half the memory.
  const { body } = await open(ports, uploadKey(only.upload));
  return { body: body.pipeThrough(new FixedLengthStream(only.size)), contentType: 'application/octet-stream' };
}

/** `multipart/form-data` with a part a channel, one upload after the other as it is read. */
function openUploads(ports: Ports, { channels }: Extract<JobInput, { kind: 'uploads' }>): OpenInput {
  const boundary = `pdora-${crypto.randomUUID()}`;
  const encoder = new TextEncoder();
  const parts = channels.map(({ channel, upload, size }) => {
    return { head: encoder.encode(partHead(boundary, channel)), key: uploadKey(upload), size };
  });
  const end = encoder.encode(PART_END);
  const last = encoder.encode(lastLine(boundary));
  const length = parts.reduce((sum, { head, size }) => sum + head.byteLength + size + end.byteLength, last.byteLength);
  const { readable, writable } = new FixedLengthStream(length);
  const write = async (): Promise<void> => {
    const writer = writable.getWriter();
    try {
      for (const { head, key } of parts) {
        await writer.write(head);
        for await (const chunk of chunksOf((await open(ports, key)).body)) await writer.write(chunk);
        await writer.write(end);
      }
      await writer.write(last);
      await writer.close();
    } catch (error) {
      await writer.abort(error).catch(() => {});
    }
  };
  ports.later(write());
  return { body: readable, contentType: `multipart/form-data; boundary=${boundary}` };
}

async function open(ports: Ports, key: string) {
  const found = await ports.objects.open(key);
  if (found === null) throw new ServiceError('expired', 'The input of the segmentation is gone.');
  return found;
}
