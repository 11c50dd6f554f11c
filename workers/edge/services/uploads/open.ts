import { ServiceError } from '../../../../schemas/errors.ts';
import type { Ports } from '../../ports.ts';
import type { Principal } from '../../principal.ts';
import type { IncomingFile } from '../files/receive.ts';
import { ownUpload, unknownUpload } from './find.ts';

/** The caller's own upload as a file that comes in. Throws `conflict` while it is not complete. */
export async function openUpload(ports: Ports, principal: Principal, id: string): Promise<IncomingFile> {
  const upload = await ownUpload(ports, principal, id);
  if (upload.completedAt === null) throw new ServiceError('conflict', 'The upload is not complete.');
  const whole = await ports.multiparts.open(id);
  if (whole === null) throw unknownUpload();
  return { body: whole.body, size: whole.size, digest: upload.digest, fromCaller: false };
}
