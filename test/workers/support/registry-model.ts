import type { Scope, VersionStatus } from '../../../schemas/api.ts';

/**
 * What the registry promises, as plain data in memory: who may see and do what, and which file a reference means. It
 * shares no code with the service.
 */

/** How a call is answered: its status, and the code of its problem. */
export type Told = string;

export interface ModelVersion {
  /** `tenant/name` */
  readonly place: string;
  readonly version: number;
  readonly digest: string;
  /** Of the tries to make a version, the later the larger. */
  readonly age: number;
  status: VersionStatus;
}

interface ModelAdapter {
  next: number;
  versions: ModelVersion[];
  readonly aliases: Map<string, number>;
  readonly grantees: Set<string>;
}

export interface ModelKey {
  readonly tenant: string;
  readonly id: string;
  readonly key: string;
  readonly scopes: readonly Scope[];
  state: 'valid' | 'ended' | 'revoked';
  rotated: boolean;
}

export type ModelRef =
  | { readonly digest: string }
  | { readonly place: string; readonly at: 'latest' | number | { readonly alias: string } };

export const NOT_FOUND = '404 not_found';
export const NOT_READY = '409 adapter_not_ready';

export class RegistryModel {
  readonly #adapters = new Map<string, ModelAdapter>();
  #tries = 0;

  /** Why a key is refused before anything is looked at; null where it is not. */
  refusal({ state, scopes }: ModelKey, scope: Scope): Told | null {
    if (state !== 'valid') return '401 unauthorized';
    return scopes.includes(scope) ? null : '403 forbidden';
  }

  /** `verify`: a runner is asked about the version. */
  push(by: string, place: string, digest: string): { told: Told; version: ModelVersion | null; verify: boolean } {
    if (!isOf(place, by)) return { told: NOT_FOUND, version: null, verify: false };
    const adapter = this.#make(place);
    const there = adapter.versions.find((version) => version.digest === digest);
    if (there !== undefined) {
      const verify = there.status === 'rejected';
      if (verify) there.status = 'verifying';
      return { told: '200', version: there, verify };
    }
    const version: ModelVersion = { place, version: adapter.next++, digest, age: this.#tries++, status: 'verifying' };
    adapter.versions.push(version);
    return { told: '201', version, verify: true };
  }

  /** What a runner finds of a version; one that is gone stays gone. */
  verdict(version: ModelVersion, good: boolean): void {
    version.status = good ? 'ready' : 'rejected';
  }

  setAlias(by: string, place: string, alias: string, version: number, expected: number | null): Told {
    const adapter = this.#own(by, place);
    const target = adapter?.versions.find((one) => one.version === version);
    if (adapter === null || target === undefined) return NOT_FOUND;
    if (target.status !== 'ready') return NOT_READY;
    if ((adapter.aliases.get(alias) ?? null) !== expected) return '409 alias_conflict';
    adapter.aliases.set(alias, version);
    return '200';
  }

  deleteAlias(by: string, place: string, alias: string, expected: number | undefined): Told {
    const adapter = this.#own(by, place);
    const at = adapter?.aliases.get(alias);
    if (adapter === null || at === undefined) return NOT_FOUND;
    if (expected !== undefined && expected !== at) return '409 alias_conflict';
    adapter.aliases.delete(alias);
    return '204';
  }

  grant(by: string, place: string, grantee: string): Told {
    if (isOf(place, by) && grantee === by) return '400 invalid_request';
    const adapter = this.#own(by, place);
    if (adapter === null) return NOT_FOUND;
    adapter.grantees.add(grantee);
    return '204';
  }

  withdraw(by: string, place: string, grantee: string): Told {
    return this.#own(by, place)?.grantees.delete(grantee) === true ? '204' : NOT_FOUND;
  }

  deleteVersion(by: string, place: string, version: number): Told {
    const adapter = this.#own(by, place);
    if (adapter?.versions.some((one) => one.version === version) !== true) return NOT_FOUND;
    if ([...adapter.aliases.values()].includes(version)) return '409 in_use';
    this.#keep(adapter, (one) => one.version !== version);
    return '204';
  }

  deleteAdapter(by: string, place: string): Told {
    const adapter = this.#own(by, place);
    if (adapter === null) return NOT_FOUND;
    if (adapter.aliases.size > 0) return '409 in_use';
    this.#keep(adapter, () => false);
    return '204';
  }

  /** The version that a reference means, ready or not, or why it means none. */
  find(viewer: string, ref: ModelRef): ModelVersion | Told {
    if ('digest' in ref) {
      const known = this.visible(viewer).flatMap((place) => this.versions(place));
      const [first] = known.filter(({ digest }) => digest === ref.digest).toSorted(byPreference(viewer));
      return first ?? NOT_FOUND;
    }
    if (!this.mayUse(viewer, ref.place)) return NOT_FOUND;
    const { at } = ref;
    if (at === 'latest') return this.latest(ref.place) ?? NOT_READY;
    const number = typeof at === 'number' ? at : this.aliases(ref.place)[at.alias];
    return this.versions(ref.place).find(({ version }) => version === number) ?? NOT_FOUND;
  }

  /** As `find`, for a segmentation. */
  use(viewer: string, ref: ModelRef): ModelVersion | Told {
    const found = this.find(viewer, ref);
    return typeof found === 'string' || found.status === 'ready' ? found : NOT_READY;
  }

  /** Whether a segmentation that was taken in may still begin. */
  stillThere(viewer: string, version: ModelVersion): boolean {
    return this.mayUse(viewer, version.place) && this.versions(version.place).includes(version);
  }

  mayUse(viewer: string, place: string): boolean {
    const adapter = this.#there(place);
    return adapter !== null && (isOf(place, viewer) || adapter.grantees.has(viewer) || adapter.grantees.has('*'));
  }

  /** Every adapter that a tenant may see, in the order of a list. */
  visible(viewer: string): string[] {
    return [...this.#adapters.keys()].filter((place) => this.mayUse(viewer, place)).toSorted();
  }

  versions(place: string): readonly ModelVersion[] {
    return this.#adapters.get(place)?.versions ?? [];
  }

  latest(place: string): ModelVersion | null {
    return this.versions(place).findLast(({ status }) => status === 'ready') ?? null;
  }

  aliases(place: string): Record<string, number> {
    return Object.fromEntries(this.#adapters.get(place)?.aliases ?? []);
  }

  /** An adapter is there while it has versions; its numbers go on where it ended. */
  #there(place: string): ModelAdapter | null {
    const adapter = this.#adapters.get(place);
    return adapter === undefined || adapter.versions.length === 0 ? null : adapter;
  }

  #own(by: string, place: string): ModelAdapter | null {
    return isOf(place, by) ? this.#there(place) : null;
  }

  #make(place: string): ModelAdapter {
    const adapter = this.#adapters.get(place) ?? { next: 1, versions: [], aliases: new Map(), grantees: new Set() };
    this.#adapters.set(place, adapter);
    return adapter;
  }

  /** What comes later under the name of an adapter without versions is shared with nobody. */
  #keep(adapter: ModelAdapter, wanted: (version: ModelVersion) => boolean): void {
    adapter.versions = adapter.versions.filter(wanted);
    if (adapter.versions.length === 0) adapter.grantees.clear();
  }
}

function isOf(place: string, tenant: string): boolean {
  return place.startsWith(`${tenant}/`);
}

/** One's own before others', what serves before what does not, the older before the newer. */
function byPreference(viewer: string) {
  const rank = ({ place, status }: ModelVersion) => (isOf(place, viewer) ? 0 : 2) + (status === 'ready' ? 0 : 1);
  return (a: ModelVersion, b: ModelVersion) => rank(a) - rank(b) || a.age - b.age;
}
