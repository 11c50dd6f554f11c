import { ServiceError } from '../../schemas/errors.ts';

/** The error of a file that is no readable volume, with what is wrong with it. */
export function invalidVolume(what: string): ServiceError {
  return new ServiceError('invalid_volume', what);
}
