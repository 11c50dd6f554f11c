import { BURST_PERIOD_SECONDS } from '../configured.ts';
import type { Log } from '../log.ts';
import type { Quota } from '../store/quota-store.ts';
import type { RateState } from './bucket.ts';
import type { Admission, Limiter } from './limiter.ts';
import type { TenantLimits } from './tenant-limits.ts';

/** An object that is asked for longer does not answer; a caller should not wait for that. */
const ANSWER_MS = 2_000;
const OVERLOADED_RETRY_SECONDS = 1;

export interface LimiterOptions {
  readonly objects: DurableObjectNamespace<TenantLimits>;
  readonly burst: RateLimit;
  readonly log: Log;
}

/** The burst binding first, which costs next to nothing, and then the tenant's own object, which has the truth. */
export function durableLimiter({ objects, burst, log }: LimiterOptions): Limiter {
  const warn = (what: string, error: unknown) => log.error(`limits: ${what}`, error);

  return {
    async admit(tenant, quota, slot): Promise<Admission> {
      try {
        if (!(await burst.limit({ key: tenant })).success) return refused(quota, BURST_PERIOD_SECONDS);
      } catch (error) {
        warn('the burst could not be counted', error);
      }
      const rate = { perMinute: quota.requestsPerMinute, capacity: quota.requestsPerMinute };
      try {
        return await soon(objects.getByName(tenant).admit(rate, slot));
      } catch (error) {
        // Only the tenant's own calls come to its object: if those are too many for it, they are over any rate.
        if (isOverloaded(error)) return refused(quota, OVERLOADED_RETRY_SECONDS);
        warn('a request is not counted', error);
        return { rate: null, begun: slot !== null };
      }
    },
    async begin(tenant, slot) {
      try {
        return await soon(objects.getByName(tenant).begin(slot));
      } catch (error) {
        warn('a segmentation is not counted', error);
        return !isOverloaded(error);
      }
    },
    async end(tenant, id) {
      // It ends by itself where this fails.
      await objects
        .getByName(tenant)
        .end(id)
        .catch((error: unknown) => warn('a segmentation is counted for longer', error));
    },
    async forget(tenant) {
      await objects.getByName(tenant).forget();
    },
  };
}

function refused({ requestsPerMinute }: Quota, seconds: number): Admission {
  const rate: RateState = {
    allowed: false,
    limit: requestsPerMinute,
    remaining: 0,
    resetSeconds: seconds,
    retryAfterSeconds: seconds,
  };
  return { rate, begun: false };
}

/** What workerd says of an object that has more calls waiting than it can take. */
function isOverloaded(error: unknown): boolean {
  return error instanceof Error && 'overloaded' in error && error.overloaded === true;
}

async function soon<T>(answer: Promise<T>): Promise<T> {
  const answered = new AbortController();
  const late = scheduler.wait(ANSWER_MS, { signal: answered.signal }).then(() => {
    throw new Error('no answer');
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    late.catch(() => {});
    answered.abort();
  }
}
