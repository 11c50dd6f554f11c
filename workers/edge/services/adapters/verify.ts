import { type FormatProblem, ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { VERIFY_TIMEOUT_MS } from '../../runners/pool.ts';
import type { VersionRecord } from '../../store/version-store.ts';
import type { VersionPlace } from '../../store/words.ts';
import { auditEntry } from '../audit/entry.ts';
import { grantFile } from '../files/grant.ts';

/** Outlives the call to the runner, so that a second verification never starts beside the first. */
const LEASE_MS = VERIFY_TIMEOUT_MS + 20_000;
/** Pauses between tries of one verification; work after a reply may last 30 s. */
const PAUSES_MS = [250, 1_000];
/** When a verification that found no runner is due again, for the sweeper and for whoever asks. */
const DUE_AGAIN_MS = 2_000;
const SWEEP_AT_ONCE = 20;

/**
 * Has a runner verify a version that waits for it, and makes it `ready` or `rejected`. Does nothing where another
 * verification of it is under way. Without a runner it stays `verifying` and is due again soon.
 */
export async function verifyVersion(ports: Ports, tenant: string, place: VersionPlace): Promise<void> {
  const { versions } = ports.catalogue;
  const now = ports.now();
  const lease = crypto.randomUUID();
  const version = await versions.claim(tenant, place, { id: lease, now, until: now + LEASE_MS });
  if (version === null) return;
  const problems = await askPatiently(ports, version);
  if (problems === null) {
    await versions.postpone(tenant, place, lease, ports.now() + DUE_AGAIN_MS);
    return;
  }
  const entry = auditEntry(ports, 'service', 'version.verify', `${tenant}/${place.name}@${place.version}`, {
    tenant,
    adapter: version.digest,
    base: version.base,
    outcome: problems.length === 0 ? 'ok' : 'invalid_adapter',
  });
  await versions.settle(tenant, place, lease, problems, entry);
}

/** Verifies what a lost Worker or an absent runner left waiting. */
export async function verifyWaiting(ports: Ports): Promise<void> {
  const waiting = await ports.catalogue.versions.due(ports.now(), SWEEP_AT_ONCE);
  for (const { tenant, name, version } of waiting) await verifyVersion(ports, tenant, { name, version });
}

/** Takes up, after the reply, a verification that a reader finds waiting. */
export function nudge(ports: Ports, versions: readonly VersionRecord[]): void {
  for (const { tenant, name, version, status, leaseUntil } of versions) {
    if (status === 'verifying' && leaseUntil <= ports.now()) {
      ports.later(verifyVersion(ports, tenant, { name, version }));
    }
  }
}

/** The runner's findings, null where there is no runner to give them. */
async function askPatiently(ports: Ports, version: VersionRecord): Promise<readonly FormatProblem[] | null> {
  let failure: unknown;
  for (const pause of [0, ...PAUSES_MS]) {
    await scheduler.wait(pause);
    try {
      return await ask(ports, version);
    } catch (error) {
      if (error instanceof ServiceError && error.code === 'invalid_adapter') {
        return error.problems ?? [unexplained(error)];
      }
      failure = error;
    }
  }
  ports.log.warn('no verification yet', failure, { digest: version.digest });
  return null;
}

async function ask(ports: Ports, version: VersionRecord): Promise<FormatProblem[]> {
  const base = await ports.catalogue.bases.find(version.base);
  if (base === null) throw new Error('the base of a version is not in the catalogue');
  return ports.runner.verify({
    runId: crypto.randomUUID(),
    trace: ports.trace,
    adapter: await grantFile(ports, version.digest),
    base: { digest: base.digest, file: await grantFile(ports, base.file) },
  });
}

/** A refusal without problems must not pass for a file without problems. */
function unexplained(error: ServiceError): FormatProblem {
  return { code: 'container', path: '', message: error.message };
}
