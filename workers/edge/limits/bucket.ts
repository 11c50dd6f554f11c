/** What is left of a tenant's rate, as it was at a time (milliseconds since 1970). */
export interface Bucket {
  readonly tokens: number;
  readonly at: number;
}

export interface Rate {
  readonly perMinute: number;
  /** The most that may come at once after a pause. */
  readonly capacity: number;
}

/** What became of one request, and what the caller may be told. */
export interface RateState {
  readonly allowed: boolean;
  readonly limit: number;
  /** Requests that may come now. */
  readonly remaining: number;
  /** Seconds until `limit` requests may come again; of a refused request, until the next may. */
  readonly resetSeconds: number;
  readonly retryAfterSeconds: number;
}

export interface Taken {
  readonly bucket: Bucket;
  readonly state: RateState;
}

const MINUTE_MS = 60_000;

/**
 * A token bucket: takes one token where there is one. It starts full (null), fills at `perMinute` and holds `capacity`,
 * so that no span of time lets more through than `capacity` and what the rate gives in it. What is refused takes
 * nothing: whoever goes on asking waits no longer for it. A clock that goes backwards gives nothing.
 */
export function takeToken(before: Bucket | null, now: number, rate: Rate): Taken {
  const perMs = rate.perMinute / MINUTE_MS;
  const at = before === null ? now : Math.max(before.at, now);
  const tokens = before === null ? rate.capacity : Math.min(rate.capacity, before.tokens + (at - before.at) * perMs);
  const allowed = tokens >= 1;
  const left = allowed ? tokens - 1 : tokens;
  const retryAfterSeconds = allowed ? 0 : seconds((1 - tokens) / perMs);
  return {
    bucket: { tokens: left, at },
    state: {
      allowed,
      limit: rate.capacity,
      remaining: Math.floor(left),
      resetSeconds: allowed ? seconds((rate.capacity - left) / perMs) : retryAfterSeconds,
      retryAfterSeconds,
    },
  };
}

/** Never told too short. */
function seconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
