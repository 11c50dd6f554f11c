/** What a call under an `Idempotency-Key` was, and the id of what it makes. */
export interface IdempotencyRecord {
  readonly fingerprint: string;
  readonly resource: string;
  readonly leaseUntil: number;
}

export interface IdempotencyClaim extends IdempotencyRecord {
  /** A tenant, or empty for the operator. */
  readonly owner: string;
  readonly key: string;
  readonly now: number;
  readonly expiresAt: number;
}

export interface IdempotencyStore {
  /** Begins a call, or answers (with `mine: false`) the one that began before under this key. */
  claim(claim: IdempotencyClaim): Promise<IdempotencyRecord & { readonly mine: boolean }>;
  /** Says that the call is still under way. */
  renew(owner: string, key: string, resource: string, leaseUntil: number): Promise<void>;
  /** Takes over a call whose lease ran out; false where it did not, or another was faster. */
  takeOver(owner: string, key: string, now: number, leaseUntil: number): Promise<boolean>;
  /** Forgets a call that made nothing, so that it may be tried again. */
  release(owner: string, key: string, resource: string): Promise<void>;
}
