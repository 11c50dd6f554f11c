import { fail, ok, type Result } from './result.ts';

/** Names of tenants, bases, adapters and aliases. */
export const NAME_PATTERN = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/** A digest as written in JSON and headers. */
export const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

/** The `adapter` of a request that means the base with its own head. */
export const BASE_REF = '__base__';

export type Selector =
  | { readonly kind: 'latest' }
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'alias'; readonly alias: string };

export type AdapterRef =
  | { readonly kind: 'digest'; readonly digest: string }
  | { readonly kind: 'name'; readonly tenant?: string; readonly name: string; readonly selector: Selector }
  | { readonly kind: 'base' };

/**
 * Reads `name`, `name@3`, `name@alias`, `tenant/name…`, `sha256:…` or `__base__`, already percent-decoded.
 * A version is digits alone; an alias holds a letter, so that the two never meet.
 */
export function parseRef(ref: string): Result<AdapterRef, string> {
  if (ref === BASE_REF) return ok({ kind: 'base' });
  if (DIGEST_PATTERN.test(ref)) return ok({ kind: 'digest', digest: ref });
  const match = /^(?:([^/@]*)\/)?([^/@]*)(?:@([^/@]*))?$/.exec(ref);
  if (match === null) return fail(REF_EXPECTED);
  const [, tenant, name = '', selected] = match;
  if (!NAME_PATTERN.test(name)) return fail(REF_EXPECTED);
  if (tenant !== undefined && !NAME_PATTERN.test(tenant)) return fail(REF_EXPECTED);
  const selector = parseSelector(selected ?? 'latest');
  if (!selector.ok) return selector;
  return ok({ kind: 'name', ...(tenant === undefined ? {} : { tenant }), name, selector: selector.value });
}

/** Whether an alias may have this name: `latest` always means the newest ready version and cannot be set. */
export function isAliasName(name: string): boolean {
  return NAME_PATTERN.test(name) && /[a-z]/.test(name) && name !== 'latest';
}

const REF_EXPECTED = 'expected name, name@version, name@alias, tenant/name or sha256: and 64 hex digits';

function parseSelector(text: string): Result<Selector, string> {
  if (text === 'latest') return ok({ kind: 'latest' });
  if (isAliasName(text)) return ok({ kind: 'alias', alias: text });
  const version = Number(text);
  if (/^[1-9][0-9]*$/.test(text) && Number.isSafeInteger(version)) return ok({ kind: 'version', version });
  return fail('expected a version (digits alone, from 1) or an alias (with a letter) after @');
}
