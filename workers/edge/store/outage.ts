import { ServiceError } from '../../../schemas/errors.ts';

const RETRY_AFTER_SECONDS = 2;
/** Before a read that failed is tried again. */
const PAUSES_MS = [50, 250];

/** Whether an error is the caller's or our own fault, which a second try would only repeat. */
export type IsFault = (error: Error) => boolean;

/**
 * One call of a storage. An error that is no fault of the call is `storage_unavailable`; what it may have changed before
 * its answer was lost is for whoever tries again to find.
 */
export async function answered<T>(isFault: IsFault, call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isOutage(isFault, error) ? unavailable(error) : error;
  }
}

/** As `answered`, for a call that may be made again without harm: a read, or a deletion. */
export async function answeredAgain<T>(isFault: IsFault, call: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await call();
    } catch (error) {
      if (!isOutage(isFault, error)) throw error;
      await scheduler.wait(pause);
    }
  }
  return answered(isFault, call);
}

function unavailable(cause: unknown): ServiceError {
  return new ServiceError('storage_unavailable', 'The storage does not answer.', {
    retryAfterSeconds: RETRY_AFTER_SECONDS,
    cause,
  });
}

/** A TypeError is what the bindings throw for a call that is wrong in itself. */
function isOutage(isFault: IsFault, error: unknown): boolean {
  return !(error instanceof ServiceError || error instanceof TypeError || (error instanceof Error && isFault(error)));
}
