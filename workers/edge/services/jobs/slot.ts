import type { Ports } from '../../ports.ts';
import type { JobRecord } from '../../store/job-store.ts';
import { knock } from './knock.ts';
import { LEASE_MS } from './rules.ts';

/** A job takes one of its tenant's segmentations at once, as a synchronous call does; the operator has no limit. */
export async function takeSlot(ports: Ports, { id, tenant }: JobRecord): Promise<boolean> {
  if (tenant === null) return true;
  const { segmentationsAtOnce: most } = await ports.catalogue.quotas.of(tenant);
  return await ports.limiter.begin(tenant, { id, most, until: ports.now() + LEASE_MS });
}

/** Gives it back, and wakes the tenant's job that has waited longest, for it may have waited for this. */
export async function giveSlot(ports: Ports, { id, tenant }: JobRecord): Promise<void> {
  if (tenant === null) return;
  await ports.limiter.end(tenant, id);
  const next = await ports.catalogue.jobs.oldestQueued(tenant);
  if (next !== null) await knock(ports, [next]);
}
