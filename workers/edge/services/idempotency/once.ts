import { ERROR_STATUS, ServiceError } from '../../../../schemas/errors.ts';
import { IDEMPOTENCY_KEPT_SECONDS } from '../../../../schemas/limits.ts';
import type { Ports } from '../../ports.ts';
import { ownerOf, type Principal } from '../../principal.ts';

/** A call says again and again that it is under way; one that broke off may be taken over after so long. */
const LEASE_MS = 30_000;
const RENEW_MS = 10_000;
const RETRY_AFTER_SECONDS = 1;

export interface Keyed<T> {
  /** The `Idempotency-Key`; without one the call is made as it is. */
  readonly key: string | undefined;
  /** What makes two calls the same, beside the key. */
  readonly fingerprint: string;
  /** The id of what the call is to make. */
  readonly resource: string;
  /** Makes it under this id; throws, or it is there. */
  make(resource: string): Promise<T>;
  /** What a call made under this id, null where it is not there. */
  find(resource: string): Promise<T | null>;
}

/**
 * Makes a thing once under an `Idempotency-Key` of the caller's. The id is chosen, and written under the key, before
 * the thing is made, so whether a call was carried out is whether its thing is there, whatever was lost on the way back.
 * Throws `idempotency_mismatch` where the key stands for another call, `conflict` while the first is under way.
 */
export async function once<T>(ports: Ports, principal: Principal, call: Keyed<T>): Promise<T> {
  const { key, fingerprint } = call;
  if (key === undefined) return await call.make(call.resource);
  const owner = ownerOf(principal) ?? '';
  const now = ports.now();
  const leaseUntil = now + LEASE_MS;
  const expiresAt = now + IDEMPOTENCY_KEPT_SECONDS * 1000;
  const { idempotency } = ports.catalogue;
  const claim = await idempotency.claim({
    owner,
    key,
    fingerprint,
    resource: call.resource,
    leaseUntil,
    now,
    expiresAt,
  });
  if (claim.fingerprint !== fingerprint) {
    throw new ServiceError('idempotency_mismatch', 'This Idempotency-Key was used for another request.');
  }
  if (!claim.mine) {
    const made = await call.find(claim.resource);
    if (made !== null) return made;
    if (!(await idempotency.takeOver(owner, key, now, leaseUntil))) {
      throw new ServiceError('conflict', 'The first request under this Idempotency-Key is still under way.', {
        retryAfterSeconds: RETRY_AFTER_SECONDS,
      });
    }
  }
  const renewing = setInterval(() => {
    // One that fails is made up for by the next.
    idempotency.renew(owner, key, claim.resource, ports.now() + LEASE_MS).catch(() => {});
  }, RENEW_MS);
  try {
    return await call.make(claim.resource);
  } catch (error) {
    // What was refused was not made. Of all else only the answer may have been lost on its way; where not even that can
    // be found out, the lease runs out.
    const made = isRefusal(error) ? null : await call.find(claim.resource);
    if (made !== null) return made;
    await idempotency.release(owner, key, claim.resource);
    throw error;
  } finally {
    clearInterval(renewing);
  }
}

function isRefusal(error: unknown): boolean {
  return error instanceof ServiceError && ERROR_STATUS[error.code] < 500;
}
