import type { OUTPUTS } from '../../../../schemas/api.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { SegmentReply } from '../../runner-client.ts';
import { aborted, badReply } from '../../runner-problems.ts';
import type { BaseRecord, VersionRecord } from '../../store/catalogue.ts';
import { grantFile } from '../files/grant.ts';
import { forwardBody } from './forwarded-body.ts';

export interface Segmentation {
  readonly runId: string;
  readonly adapter: string;
  readonly output: (typeof OUTPUTS)[number];
  readonly deadlineSeconds: number;
  readonly body: ReadableStream<Uint8Array> | null;
  readonly contentLength: number;
  readonly contentType: string;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

/** What a segmentation is made with. */
export interface Model {
  /** Null where the base runs alone. */
  readonly version: VersionRecord | null;
  readonly base: BaseRecord;
}

/** Has a runner segment the volume with this model and with that alone: a reply made with anything else is an error. */
export async function segment(
  ports: Ports,
  principal: Principal,
  { version, base }: Model,
  input: Segmentation,
): Promise<SegmentReply> {
  const deadlineMs = input.deadlineSeconds * 1000;
  const call = {
    runId: input.runId,
    tenant: principal.kind === 'tenant' ? principal.tenant : (version?.tenant ?? principal.kind),
    output: input.output,
    deadline: ports.now() + deadlineMs,
    contentType: input.contentType,
    signal: AbortSignal.any([input.signal, AbortSignal.timeout(deadlineMs)]),
    adapter: version === null ? null : await grantFile(ports, version.digest),
    base: { digest: base.digest, file: await grantFile(ports, base.file) },
  };
  const body = forwardBody(input.body, input.contentLength);
  try {
    const reply = await ports.runner.segment({ ...call, body: body.stream });
    if (reply.adapterDigest !== (version?.digest ?? null) || reply.baseDigest !== base.digest) {
      await reply.body.cancel();
      throw badReply('it used another adapter or base');
    }
    return reply;
  } catch (error) {
    await body.drain();
    // The runner's connection ends with the caller's, which is no fault of the runner.
    throw body.brokeOff() ? aborted(input.signal.reason) : error;
  }
}
