import { type ErrorCode, ServiceError } from '../../../../schemas/errors.ts';
import { type AdapterRef, BASE_REF } from '../../../../schemas/names.ts';
import { persistently } from '../../persistently.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { SegmentReply } from '../../runners/runner-client.ts';
import type { AuditEntry } from '../../store/audit-store.ts';
import { readRef } from '../adapters/resolve.ts';
import { auditEntry } from '../audit/entry.ts';
import { type Segmentation, segment } from './segment.ts';
import { resolveSubject, type Subject } from './subject.ts';

export interface Segmented extends Subject {
  readonly reply: SegmentReply;
}

/** Of a reference that means nothing to the caller, which may be of any length. */
export const SUBJECT_MAX_CHARACTERS = 200;

/**
 * Segments, and writes one line about it whatever comes of it. No label map is handed out whose line could not be
 * written: that is `storage_unavailable`. The line is written also where the caller has gone. A malformed reference is
 * no segmentation and throws `invalid_request`.
 */
export function segmentRecorded(ports: Ports, principal: Principal, input: Segmentation): Promise<Segmented> {
  const running = run(ports, principal, readRef(input.adapter), input);
  ports.later(running.catch(() => {}));
  return running;
}

async function run(ports: Ports, principal: Principal, ref: AdapterRef, input: Segmentation): Promise<Segmented> {
  let subject: Subject | null = null;
  let reply: SegmentReply;
  const line = (outcome: 'ok' | ErrorCode, voxels: number | null = null): AuditEntry =>
    auditEntry(ports, principal, 'segmentation.run', subjectOf(subject, input.adapter), {
      adapter: subject?.version?.digest ?? null,
      base: subject?.base.digest ?? null,
      voxels,
      outcome,
    });
  try {
    subject = await resolveSubject(ports, principal, ref);
    reply = await segment(ports, principal, subject, input);
  } catch (error) {
    const entry = line(error instanceof ServiceError ? error.code : 'internal');
    ports.later(
      append(ports, entry, subject).catch((failure: unknown) =>
        ports.log.error('a line of the audit is lost', failure),
      ),
    );
    throw error;
  }
  try {
    await append(ports, line('ok', reply.voxels), subject);
  } catch (error) {
    await reply.body.cancel().catch(() => {});
    throw error;
  }
  return { ...subject, reply };
}

function subjectOf(subject: Subject | null, asGiven: string): string {
  if (subject === null) return asGiven.slice(0, SUBJECT_MAX_CHARACTERS);
  const { version } = subject;
  return version === null ? BASE_REF : `${version.tenant}/${version.name}@${version.version}`;
}

async function append(ports: Ports, entry: AuditEntry, subject: Subject | null): Promise<void> {
  const owner = subject?.version?.tenant;
  const written = await persistently(() => ports.catalogue.audit.append(entry, owner)).catch((cause: unknown) => {
    throw new ServiceError('storage_unavailable', 'The segmentation could not be recorded.', { cause });
  });
  if (!written) throw new ServiceError('unauthorized', 'The tenant was deleted meanwhile.');
}
