import { ServiceError } from '../../../schemas/errors.ts';
import { discarded } from '../body-stream.ts';
import type { RateState } from '../limits/bucket.ts';
import type { Principal } from '../principal.ts';
import { overSegmentations } from '../services/quotas/errors.ts';
import type { EdgeContext } from './context.ts';

/** Who has limits: a tenant, by a key or by a URL that a key had signed. */
type Limited =
  | Pick<Extract<Principal, { kind: 'operator' }>, 'kind'>
  | Pick<Extract<Principal, { kind: 'tenant' }>, 'kind' | 'tenant' | 'quota'>;

/** What a slot outlives the deadline by, which ends the run itself. */
const SLOT_GRACE_MS = 15_000;

/**
 * Counts the call of a tenant, tells it where it stands, and does the work only where that is within its rate. With
 * `runSeconds` the work is a segmentation: it takes one of the tenant's slots and keeps it until the reply's body has
 * been delivered, the call failed or the caller went away. The operator has no limits.
 */
export async function withinLimits(
  c: EdgeContext,
  principal: Limited,
  runSeconds: number | null,
  work: () => Promise<void>,
): Promise<void> {
  if (principal.kind === 'operator') return work();
  const ports = c.get('ports');
  const { tenant, quota } = principal;
  const id = c.get('requestId');
  const until = ports.now() + (runSeconds ?? 0) * 1000 + SLOT_GRACE_MS;
  const slot = runSeconds === null ? null : { id, most: quota.segmentationsAtOnce, until };
  const { rate, begun } = await ports.limiter.admit(tenant, quota, slot);
  if (rate !== null) tell(c, rate);
  if (rate !== null && !rate.allowed) return refuse(c, overRate(rate));
  if (slot === null) return work();
  if (!begun) return refuse(c, overSegmentations(slot.most));

  // Waited for from the start: what is only begun when the caller has gone may never run.
  const over = Promise.withResolvers<void>();
  ports.later(over.promise.then(() => ports.limiter.end(tenant, id)));
  c.req.raw.signal.addEventListener('abort', () => over.resolve());
  try {
    await work();
  } catch (error) {
    over.resolve();
    throw error;
  }
  if (c.error === undefined) c.res = whenDelivered(c.res, over.resolve);
  else over.resolve();
}

/** draft-ietf-httpapi-ratelimit-headers: `r` requests may come within the next `t` seconds. */
function tell(c: EdgeContext, { limit, remaining, resetSeconds }: RateState): void {
  c.header('ratelimit-policy', `"requests";q=${limit};w=60`);
  c.header('ratelimit', `"requests";r=${remaining};t=${resetSeconds}`);
}

function overRate({ limit, retryAfterSeconds }: RateState): ServiceError {
  return new ServiceError('rate_limited', `The tenant may send ${limit} requests a minute.`, { retryAfterSeconds });
}

async function refuse(c: EdgeContext, error: ServiceError): Promise<never> {
  await discarded(c.req.raw.body);
  throw error;
}

/** The same reply; `delivered` is called when its body has gone out or can no longer. */
function whenDelivered(reply: Response, delivered: () => void): Response {
  if (reply.body === null) {
    delivered();
    return reply;
  }
  const length = reply.headers.get('content-length');
  const { readable, writable } =
    length === null ? new IdentityTransformStream() : new FixedLengthStream(Number(length));
  reply.body.pipeTo(writable).then(delivered, delivered);
  return new Response(readable, reply);
}
