import type { OUTPUTS } from '../../../../schemas/api.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { SegmentReply } from '../../runners/runner-client.ts';
import { badReply } from '../../runners/runner-problems.ts';
import type { BaseRecord, VersionRecord } from '../../store/catalogue.ts';
import { readRef, resolveReady } from '../adapters/resolve.ts';
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

export interface Segmented {
  /** Null where the base ran alone. */
  readonly version: VersionRecord | null;
  readonly base: BaseRecord;
  readonly reply: SegmentReply;
}

/**
 * Has a runner segment the volume with the adapter that the reference means, and with that alone: what is unknown,
 * not the caller's or not ready is an error, and so is a reply made with anything else than what was resolved.
 */
export async function segment(ports: Ports, principal: Principal, input: Segmentation): Promise<Segmented> {
  const { version, base } = await resolve(ports, principal, input.adapter);
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
    return { version, base, reply };
  } catch (error) {
    await body.drain();
    throw error;
  }
}

async function resolve(
  ports: Ports,
  principal: Principal,
  adapter: string,
): Promise<{ version: VersionRecord | null; base: BaseRecord }> {
  const { bases } = ports.catalogue;
  const ref = readRef(adapter);
  if (ref.kind === 'base') {
    const base = await bases.first();
    if (base === null) throw new ServiceError('not_found', 'No base is served here.');
    return { version: null, base };
  }
  const version = await resolveReady(ports, principal, ref);
  const base = await bases.find(version.base);
  if (base === null) throw new Error('the base of a version is not in the catalogue');
  return { version, base };
}
