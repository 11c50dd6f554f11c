import { ServiceError } from '../../../../schemas/errors.ts';

/** Room comes when something is deleted or expires, which is not a matter of seconds. */
const STORAGE_RETRY_SECONDS = 60;
const SLOT_RETRY_SECONDS = 2;
const JOB_RETRY_SECONDS = 10;

export function overStorage(used: number, wanted: number, allowed: number): ServiceError {
  return new ServiceError(
    'quota_exceeded',
    `The tenant stores ${used} of ${allowed} bytes; ${wanted} more do not fit.`,
    { retryAfterSeconds: STORAGE_RETRY_SECONDS },
  );
}

export function overSegmentations(allowed: number): ServiceError {
  return new ServiceError('quota_exceeded', `The tenant may have ${allowed} segmentations at once, and has as many.`, {
    retryAfterSeconds: SLOT_RETRY_SECONDS,
  });
}

export function overJobs(allowed: number): ServiceError {
  return new ServiceError('quota_exceeded', `The tenant may have ${allowed} segmentations waiting, and has as many.`, {
    retryAfterSeconds: JOB_RETRY_SECONDS,
  });
}
