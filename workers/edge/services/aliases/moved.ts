import { ServiceError } from '../../../../schemas/errors.ts';

/** The alias is elsewhere than the caller expected; `at` is null where there is none. */
export function moved(alias: string, at: number | null): ServiceError {
  const place = at === null ? `There is no alias ${alias}.` : `The alias ${alias} is at version ${at}.`;
  return new ServiceError('alias_conflict', place);
}
