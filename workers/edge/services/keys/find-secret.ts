import type { Ports } from '../../ports.ts';
import { hmacHex } from '../../secrets.ts';

/** Where a secret is kept as an HMAC: keys, and links. */
interface SecretStore<T> {
  findByHash(hashes: readonly string[]): Promise<T | null>;
  rehash(from: string, to: string): Promise<void>;
}

/** What a secret is; one that is still kept under the previous pepper is kept under the present one from now on. */
export async function findSecret<T extends { readonly hash: string }>(
  ports: Ports,
  store: SecretStore<T>,
  shown: string,
): Promise<T | null> {
  const { keyPepper, previousKeyPepper } = ports.settings;
  const hash = await hmacHex(keyPepper, shown);
  if (previousKeyPepper === null) return store.findByHash([hash]);
  const found = await store.findByHash([hash, await hmacHex(previousKeyPepper, shown)]);
  if (found !== null && found.hash !== hash) ports.later(store.rehash(found.hash, hash));
  return found;
}
