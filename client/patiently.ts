import { ApiError, UnreachableError } from './errors.ts';

/** Together longer than the 30 s for which a call that broke off holds its Idempotency-Key. */
const PAUSES_SECONDS = [0.5, 2, 8, 21];
/** A service that asks for more is not waited for. */
const PAUSE_MOST_SECONDS = 60;

interface How {
  /** Whether a second call does no harm where nobody knows what became of the first. */
  readonly repeatable: boolean;
  readonly signal?: AbortSignal | undefined;
}

/** A call that is made again where the service says that what stands in its way is passing. Quotas are not waited for. */
export async function patiently<T>(call: () => Promise<T>, { repeatable, signal }: How): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await call();
    } catch (error) {
      const own = PAUSES_SECONDS[tries];
      const told = secondsTold(error, repeatable);
      if (own === undefined || told === null || told > PAUSE_MOST_SECONDS) throw error;
      await pause(Math.max(own, told) * 1000, signal);
    }
  }
}

/** Null where another call has no prospects. */
function secondsTold(error: unknown, repeatable: boolean): number | null {
  if (error instanceof UnreachableError) return repeatable ? 0 : null;
  const passing = error instanceof ApiError && (error.status === 503 || error.code === 'rate_limited');
  return passing ? error.retryAfterSeconds : null;
}

/** Throws the signal's reason where it is given up. */
export async function pause(milliseconds: number, signal?: AbortSignal): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const abandon = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', abandon);
      resolve();
    }, milliseconds);
    signal?.addEventListener('abort', abandon, { once: true });
  });
}
