import type { AuditEntry } from './audit-store.ts';
import type { AdapterName, Card, Page, Viewer } from './words.ts';

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
