import type { VersionStatus } from '../../../schemas/api.ts';
import type { FormatProblem } from '../../../schemas/errors.ts';
import type { Selector } from '../../../schemas/names.ts';
import type { AuditEntry } from './audit-store.ts';
import type { AdapterName, Card, VersionPlace, Viewer } from './words.ts';

export interface VersionRecord extends AdapterName {
  readonly version: number;
  readonly digest: string;
  readonly base: string;
  readonly size: number;
  readonly card: Card;
  readonly status: VersionStatus;
  readonly problems: FormatProblem[];
  readonly leaseUntil: number;
  readonly createdAt: number;
}

export interface NewVersion {
  readonly name: string;
  readonly digest: string;
  /** Of the file, in bytes, as it came in. */
  readonly size: number;
  readonly base: string;
  readonly card: Card;
}

/** What a version is made under. */
export interface UploadRight {
  readonly hold: string;
  /** The key that sent the file; null for the operator's. */
  readonly key: string | null;
  /** What the tenant may store. */
  readonly allowedBytes: number;
  readonly now: number;
}

export interface VersionStore {
  /**
   * Makes the next version of the tenant's adapter, or finds the one with these bytes, and lets the hold on its file
   * go. Null where the hold, the key that sent it or the tenant is no longer there, `OverQuota` where there is no room. A
   * rejected version is `verifying` again. The entry's subject gets the version's number.
   */
  register(
    tenant: string,
    version: NewVersion,
    under: UploadRight,
    entry: AuditEntry,
  ): Promise<Registered | OverQuota | null>;
  list(viewer: Viewer, adapter: AdapterName): Promise<VersionRecord[]>;
  /** `latest` is the newest ready version. */
  find(viewer: Viewer, adapter: AdapterName, selector: Selector): Promise<VersionRecord | null>;
  /** Among the versions the viewer may use: its own first, ready ones first, then the oldest. */
  findByDigest(viewer: Viewer, digest: string): Promise<VersionRecord | null>;
  /** Starts a verification under a lease; null where none is due. */
  claim(tenant: string, place: VersionPlace, lease: Lease): Promise<VersionRecord | null>;
  /** Ends the verification of this lease; false where another has taken over or the version is gone. */
  settle(
    tenant: string,
    place: VersionPlace,
    lease: string,
    problems: readonly FormatProblem[],
    entry: AuditEntry,
  ): Promise<boolean>;
  /** Gives a verification back, to be taken up again from `at` on. */
  postpone(tenant: string, place: VersionPlace, lease: string, at: number): Promise<void>;
  /** Of all tenants, for the sweeper: verifications that nothing is at work on, the longest waiting first. */
  due(now: number, limit: number): Promise<(AdapterName & VersionPlace)[]>;
  /** Null where there is none such; `in use` while an alias points there. */
  remove(tenant: string, place: VersionPlace, entry: AuditEntry): Promise<'removed' | 'in use' | null>;
}

export interface Lease {
  readonly id: string;
  readonly now: number;
  readonly until: number;
}

export interface Registered {
  readonly version: number;
  readonly status: VersionStatus;
  readonly created: boolean;
}

/** Nothing was made; `usedBytes` is what the tenant stores. */
export interface OverQuota {
  readonly usedBytes: number;
}
