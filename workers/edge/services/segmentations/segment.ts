import type { Format } from '../../../../schemas/answer-formats.ts';
import type { OUTPUTS } from '../../../../schemas/api.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { SegmentReply } from '../../runners/runner-client.ts';
import { aborted } from '../../runners/runner-problems.ts';
import type { ForwardedBody } from './forwarded-body.ts';
import { checkMadeWith, grantSubject, type Subject } from './subject.ts';

/** What a runner is sent. */
export interface Volumes {
  readonly body: ForwardedBody;
  readonly contentType: string;
}

export interface Segmentation {
  readonly runId: string;
  readonly adapter: string;
  readonly output: (typeof OUTPUTS)[number];
  readonly format: Format;
  readonly deadlineSeconds: number;
  /** Opened once it is known what it is segmented with. */
  volumes(subject: Subject): Volumes | Promise<Volumes>;
  /** Aborted when the caller goes away. */
  readonly signal: AbortSignal;
}

/** Has a runner segment the volume with this and with that alone: a reply made with anything else is an error. */
export async function segment(
  ports: Ports,
  principal: Principal,
  subject: Subject,
  input: Segmentation,
): Promise<SegmentReply> {
  const deadlineMs = input.deadlineSeconds * 1000;
  const call = {
    runId: input.runId,
    trace: ports.trace,
    tenant: principal.kind === 'tenant' ? principal.tenant : (subject.version?.tenant ?? principal.kind),
    output: input.output,
    format: input.format,
    deadline: ports.now() + deadlineMs,
    signal: AbortSignal.any([input.signal, AbortSignal.timeout(deadlineMs)]),
    ...(await grantSubject(ports, subject)),
  };
  const { body, contentType } = await input.volumes(subject);
  try {
    const reply = await ports.runner.segment({ ...call, contentType, body: body.stream });
    await checkMadeWith(reply, subject);
    return reply;
  } catch (error) {
    await body.drain();
    // The runner's connection ends with the caller's, which is no fault of the runner.
    throw body.brokeOff() ? aborted(input.signal.reason) : error;
  }
}
