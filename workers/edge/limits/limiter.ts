import type { Quota } from '../store/quota-store.ts';
import type { RateState } from './bucket.ts';
import type { Slot } from './slots.ts';

export interface Admission {
  /** Null where the truth could not be asked: then the request goes on, and nothing can be said about the rate. */
  readonly rate: RateState | null;
  /** Whether the slot that was asked for is taken. A request over the rate gets none. */
  readonly begun: boolean;
}

/**
 * What a tenant has used of its rate and of its segmentations at once. Where it cannot be reached it lets through what
 * it would count: limits protect the service, and must not be what takes it down.
 */
export interface Limiter {
  /** Counts one request of the tenant and takes a slot, if one is asked for, in one round trip. */
  admit(tenant: string, quota: Quota, slot: Slot | null): Promise<Admission>;
  /**
   * Takes a slot for a segmentation; false where the tenant has as many as it may. Taking the same id again is a
   * success and sets its `until` anew.
   */
  begin(tenant: string, slot: Slot): Promise<boolean>;
  /** Gives a slot back; one that is not there is no error. */
  end(tenant: string, id: string): Promise<void>;
  /** Forgets all about a tenant that is deleted. Rejects where that fails. */
  forget(tenant: string): Promise<void>;
}
