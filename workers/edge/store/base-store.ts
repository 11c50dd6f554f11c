import type { Architecture } from '../../../schemas/architecture.ts';
import type { AuditEntry } from './audit-store.ts';
import type { Card, Page } from './words.ts';

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
