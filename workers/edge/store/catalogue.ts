import type { Scope, VersionStatus } from '../../../schemas/api.ts';
import type { Architecture } from '../../../schemas/architecture.ts';
import type { FormatProblem } from '../../../schemas/errors.ts';
import type { AdapterManifest } from '../../../schemas/manifest.ts';
import type { Selector } from '../../../schemas/names.ts';
import type { AliasStore } from './alias-store.ts';
import type { AuditEntry, AuditStore } from './audit-store.ts';
import type { GrantStore } from './grant-store.ts';
import type { IdempotencyStore } from './idempotency-store.ts';
import type { ImageStore } from './image-store.ts';
import type { JobStore } from './job-store.ts';
import type { LinkStore } from './link-store.ts';
import type { Quota, QuotaStore } from './quota-store.ts';
import type { SweepStore } from './sweep-store.ts';
import type { TenantStore } from './tenant-store.ts';
import type { UploadStore } from './upload-store.ts';

/**
 * What the edge knows, but for the bytes. Every function about a tenant's things takes the tenant, or who looks, as its
 * first argument; there is no way to read them without. What changes something takes the line that the audit gets in
 * the same transaction. Times are milliseconds since 1970.
 */
export interface Catalogue {
  readonly tenants: TenantStore;
  readonly keys: KeyStore;
  readonly links: LinkStore;
  readonly adapters: AdapterStore;
  readonly versions: VersionStore;
  readonly aliases: AliasStore;
  readonly grants: GrantStore;
  readonly bases: BaseStore;
  readonly files: FileStore;
  readonly audit: AuditStore;
  readonly jobs: JobStore;
  readonly uploads: UploadStore;
  readonly images: ImageStore;
  readonly idempotency: IdempotencyStore;
  readonly quotas: QuotaStore;
  readonly sweeps: SweepStore;
}

/** Who looks: a tenant sees its own, what is granted to it and what is public; the operator sees all. */
export type Viewer = { readonly kind: 'operator' } | { readonly kind: 'tenant'; readonly tenant: string };

/** A page of a list: what comes after a place in its order, null from the start. */
export interface Page<T> {
  readonly after: T | null;
  readonly limit: number;
}

export interface KeyRecord {
  readonly id: string;
  readonly name: string;
  readonly scopes: Scope[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
}

export interface KeyStore {
  /** False where the tenant is gone. */
  create(tenant: string, key: KeyRecord & { readonly hash: string }, entry: AuditEntry): Promise<boolean>;
  list(tenant: string, page: Page<string>): Promise<KeyRecord[]>;
  find(tenant: string, id: string): Promise<KeyRecord | null>;
  /**
   * Makes a key that may do what this one may, for as long, and ends this one at `until` or its own end. Null where it
   * is gone, has ended or was rotated before.
   */
  rotate(tenant: string, id: string, into: Successor, entry: AuditEntry): Promise<KeyRecord | null>;
  revoke(tenant: string, id: string, entry: AuditEntry): Promise<boolean>;
  /** The one search without a tenant: it finds the tenant, and what it may use. */
  findByHash(hashes: readonly string[]): Promise<FoundKey | null>;
  /** Keeps a key under another hash of it. */
  rehash(from: string, to: string): Promise<void>;
}

export interface Successor {
  readonly id: string;
  readonly hash: string;
  readonly now: number;
  readonly until: number;
}

export interface FoundKey extends KeyRecord {
  readonly tenant: string;
  readonly quota: Quota;
  readonly hash: string;
}

/** What a manifest says that a caller needs. */
export type Card = Pick<
  AdapterManifest,
  'description' | 'channels' | 'activation' | 'labels' | 'inference' | 'provenance' | 'licence' | 'intended_use'
> & { readonly regions?: AdapterManifest['regions'] };

export interface AdapterRecord {
  readonly tenant: string;
  readonly name: string;
  readonly description: string;
  readonly latest: number | null;
  readonly createdAt: number;
}

export interface ModelRecord {
  readonly tenant: string;
  readonly name: string;
  readonly digest: string;
  readonly base: string;
}

/** A model with what a caller needs to know of it. */
export interface ModelCard extends AdapterName {
  readonly version: number;
  readonly card: Card;
}

export interface AdapterStore {
  list(viewer: Viewer, page: Page<AdapterName>): Promise<AdapterRecord[]>;
  find(viewer: Viewer, adapter: AdapterName): Promise<AdapterRecord | null>;
  aliases(viewer: Viewer, adapter: AdapterName): Promise<Record<string, number>>;
  /** The newest ready version of everything the viewer may use. */
  models(viewer: Viewer): Promise<ModelRecord[]>;
  /** As `models`, with their cards. */
  modelCards(viewer: Viewer): Promise<ModelCard[]>;
  /** Takes away every version and alias and answers the digests of their files; null while an alias points to one. */
  remove(tenant: string, name: string, entry: AuditEntry): Promise<string[] | null>;
}

export interface AdapterName {
  readonly tenant: string;
  readonly name: string;
}

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

export interface VersionPlace {
  readonly name: string;
  readonly version: number;
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

/** A base that is served; it is no tenant's. */
export interface BaseRecord {
  readonly digest: string;
  readonly file: string;
  readonly name: string;
  readonly size: number;
  readonly architecture: Architecture;
  readonly card: Card;
  readonly createdAt: number;
}

export interface BaseStore {
  list(page: Page<string>): Promise<BaseRecord[]>;
  find(digest: string): Promise<BaseRecord | null>;
  /** The operator's first, which `__base__` means. */
  first(): Promise<BaseRecord | null>;
  architectures(): Promise<ReadonlyMap<string, Architecture>>;
  /** False where it is there already, or its file is no longer held. */
  register(base: Omit<BaseRecord, 'size'>, hold: string, entry: AuditEntry): Promise<boolean>;
}

/** Which files are in the bucket, and which of them may be taken away. */
export interface FileStore {
  /** Says that a file is coming and holds it; false while it is being taken away. */
  hold(
    digest: string,
    size: number,
    hold: { readonly id: string; readonly now: number; readonly until: number },
  ): Promise<boolean>;
  release(hold: string): Promise<void>;
  /** Marks a file that nothing points at and nobody holds, unused for long enough, as `id`'s; false where it must stay. */
  mark(digest: string, id: string, age: Age): Promise<boolean>;
  /** Forgets a file with the mark of `id`, after it left the bucket. */
  forget(digest: string, id: string): Promise<void>;
  /** Files that `mark` would mark, the longest unused first. */
  collectable(age: Age, limit: number): Promise<string[]>;
  /** Drops holds that ran out, and says how many. */
  dropHolds(now: number, limit: number): Promise<number>;
}

export interface Age {
  readonly now: number;
  /** Nothing may have pointed at the file since; what nothing ever pointed at is always old enough. */
  readonly unusedBefore: number;
}
