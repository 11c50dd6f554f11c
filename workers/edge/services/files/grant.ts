import { GRANT_SECONDS } from '../../../../schemas/limits.ts';
import type { Ports } from '../../ports.ts';
import type { GrantedFile } from '../../runners/runner-client.ts';
import { hmacHex, sameSecret } from '../../secrets.ts';
import { hexOf } from '../../store/blob-store.ts';

/**
 * Permission for a runner to fetch one file for a few minutes: `v1.<expiry>.<HMAC>`, the HMAC over `v1`, the digest in
 * hex and the expiry (seconds since 1970), a line each.
 */
export async function grantFile(ports: Ports, digest: string): Promise<GrantedFile> {
  const expiry = Math.floor(ports.now() / 1000) + GRANT_SECONDS;
  return { digest, grant: `v1.${expiry}.${await sign(ports, digest, expiry)}` };
}

export async function isGranted(ports: Ports, digest: string, grant: string): Promise<boolean> {
  const match = /^v1\.([0-9]{1,12})\.([0-9a-f]{64})$/.exec(grant);
  if (match === null) return false;
  const [, expiry, signature = ''] = match;
  const genuine = await sameSecret(signature, await sign(ports, digest, Number(expiry)));
  return genuine && Number(expiry) * 1000 > ports.now();
}

function sign(ports: Ports, digest: string, expiry: number): Promise<string> {
  return hmacHex(ports.settings.grantSecret, `v1\n${hexOf(digest)}\n${expiry}`);
}
