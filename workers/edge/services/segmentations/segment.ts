import type { OUTPUTS } from '../../../../schemas/api.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { SegmentReply } from '../../runners/runner-client.ts';
import { forwardBody } from './forwarded-body.ts';
import { checkMadeWith, grantSubject, resolveSubject, type Subject } from './subject.ts';

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

export interface Segmented extends Subject {
  readonly reply: SegmentReply;
}

/**
 * Has a runner segment the volume with the adapter that the reference means, and with that alone: what is unknown,
 * not the caller's or not ready is an error, and so is a reply made with anything else than what was resolved.
 */
export async function segment(ports: Ports, principal: Principal, input: Segmentation): Promise<Segmented> {
  const subject = await resolveSubject(ports, principal, input.adapter);
  const { version } = subject;
  const deadlineMs = input.deadlineSeconds * 1000;
  const call = {
    runId: input.runId,
    tenant: principal.kind === 'tenant' ? principal.tenant : (version?.tenant ?? principal.kind),
    output: input.output,
    deadline: ports.now() + deadlineMs,
    contentType: input.contentType,
    signal: AbortSignal.any([input.signal, AbortSignal.timeout(deadlineMs)]),
    ...(await grantSubject(ports, subject)),
  };
  const body = forwardBody(input.body, input.contentLength);
  try {
    const reply = await ports.runner.segment({ ...call, body: body.stream });
    await checkMadeWith(reply, subject);
    return { ...subject, reply };
  } catch (error) {
    await body.drain();
    throw error;
  }
}
