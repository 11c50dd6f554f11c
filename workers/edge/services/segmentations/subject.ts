import { ServiceError } from '../../../../schemas/errors.ts';
import type { AdapterRef } from '../../../../schemas/names.ts';
import type { Ports } from '../../ports.ts';
import { type Principal, unknownAdapter } from '../../principal.ts';
import type { RunSubject, SegmentReply } from '../../runners/runner-client.ts';
import { badReply } from '../../runners/runner-problems.ts';
import type { BaseRecord } from '../../store/base-store.ts';
import type { JobRecord } from '../../store/job-store.ts';
import type { VersionRecord } from '../../store/version-store.ts';
import type { Viewer } from '../../store/words.ts';
import { resolveReady } from '../adapters/resolve.ts';
import { grantFile } from '../files/grant.ts';

/** What a segmentation runs with: a version on its base, or (null) the base alone. */
export interface Subject {
  readonly version: VersionRecord | null;
  readonly base: BaseRecord;
}

/** What a reference means to this caller. Throws as `resolveReady`, and `not_found` where no base is served. */
export async function resolveSubject(ports: Ports, principal: Principal, ref: AdapterRef): Promise<Subject> {
  if (ref.kind === 'base') {
    const base = await ports.catalogue.bases.first();
    if (base === null) throw new ServiceError('not_found', 'No base is served here.');
    return { version: null, base };
  }
  return await onItsBase(ports, await resolveReady(ports, principal, ref));
}

/**
 * What a job was taken in with, as far as whoever asked may still use it: the very version, whatever an alias means by
 * now. Throws `not_found` where it was deleted or its grant withdrawn.
 */
export async function subjectOfJob(ports: Ports, { tenant, adapter, base }: JobRecord): Promise<Subject> {
  if (adapter === null) {
    const found = await ports.catalogue.bases.find(base);
    if (found === null) throw new ServiceError('not_found', 'The base is no longer served.');
    return { version: null, base: found };
  }
  const viewer: Viewer = tenant === null ? { kind: 'operator' } : { kind: 'tenant', tenant };
  const selector = { kind: 'version', version: adapter.version } as const;
  const version = await ports.catalogue.versions.find(viewer, adapter, selector);
  if (version === null || version.digest !== adapter.digest) throw unknownAdapter();
  return await onItsBase(ports, version);
}

async function onItsBase(ports: Ports, version: VersionRecord): Promise<Subject> {
  const base = await ports.catalogue.bases.find(version.base);
  if (base === null) throw new Error('the base of a version is not in the catalogue');
  return { version, base };
}

/** What a runner is told of it, with the permission to fetch its files. */
export async function grantSubject(
  ports: Ports,
  { version, base }: Subject,
): Promise<Pick<RunSubject, 'adapter' | 'base'>> {
  return {
    adapter: version === null ? null : await grantFile(ports, version.digest),
    base: { digest: base.digest, file: await grantFile(ports, base.file) },
  };
}

/** Throws `bad_runner_reply` where the label map was made with anything else than what was resolved. */
export async function checkMadeWith(reply: SegmentReply, { version, base }: Subject): Promise<void> {
  if (reply.adapterDigest === (version?.digest ?? null) && reply.baseDigest === base.digest) return;
  await reply.body.cancel();
  throw badReply('it used another adapter or base');
}
