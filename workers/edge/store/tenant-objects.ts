import type { Estate } from './tenant-store.ts';

/** The bodies of a tenant beside its files: what it uploaded in parts, and inputs and results of its jobs. */
export interface TenantObjects {
  /** Takes them away, finished or not; what is not there is a success. Rejects after all were tried. */
  remove(estate: Pick<Estate, 'uploads' | 'jobs'>): Promise<void>;
}
