import type { AdapterManifest } from '../../../schemas/manifest.ts';

/** What several stores speak of. */

/** Who looks: a tenant sees its own, what is granted to it and what is public; the operator sees all. */
export type Viewer = { readonly kind: 'operator' } | { readonly kind: 'tenant'; readonly tenant: string };

/** A page of a list: what comes after a place in its order, null from the start. */
export interface Page<T> {
  readonly after: T | null;
  readonly limit: number;
}

export interface AdapterName {
  readonly tenant: string;
  readonly name: string;
}

export interface VersionPlace {
  readonly name: string;
  readonly version: number;
}

/** What a manifest says that a caller needs. */
export type Card = Pick<
  AdapterManifest,
  'description' | 'channels' | 'activation' | 'labels' | 'inference' | 'provenance' | 'licence' | 'intended_use'
> & { readonly regions?: AdapterManifest['regions'] };
