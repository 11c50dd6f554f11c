import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import { sameSecret } from '../../secrets.ts';
import { isGranted } from './grant.ts';

/** A file for a runner that shows our token and the grant which came with its call. */
export async function openGranted(
  ports: Ports,
  digest: string,
  shown: { readonly token: string; readonly grant: string },
): Promise<{ body: ReadableStream<Uint8Array>; size: number }> {
  if (!(await sameSecret(shown.token, ports.settings.runnerToken))) {
    throw new ServiceError('unauthorized', 'Not the token of a runner.');
  }
  if (!(await isGranted(ports, digest, shown.grant))) {
    throw new ServiceError('forbidden', 'The grant is not for this file, or it ran out.');
  }
  const file = await ports.blobs.open(digest);
  if (file === null) throw new ServiceError('not_found', 'There is no such file.');
  return file;
}
