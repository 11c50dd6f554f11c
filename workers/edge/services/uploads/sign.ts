import type { Ports } from '../../ports.ts';
import { hmacHex, sameSecret } from '../../secrets.ts';
import type { UploadRecord } from '../../store/upload-store.ts';
import { partSizes } from './parts.ts';

/** What a signed URL permits: to send the part of this number, or to put the parts together. */
export type UploadStep = number | 'complete';

export interface Signature {
  /** Seconds since 1970. */
  readonly expires: string;
  readonly signature: string;
}

export interface SignedUrls {
  /** One a part, in their order. */
  readonly parts: readonly string[];
  readonly complete: string;
}

/** The URLs of an upload's steps on the edge at `origin`, good as long as the upload is. */
export async function signedUrls(ports: Ports, origin: string, upload: UploadRecord): Promise<SignedUrls> {
  const expires = Math.floor(upload.expiresAt / 1000);
  const sign = async (path: string, step: UploadStep) => {
    const url = new URL(`/v1/uploads/${upload.id}/${path}`, origin);
    url.searchParams.set('expires', String(expires));
    url.searchParams.set('signature', await signatureOf(ports, upload.id, step, expires));
    return url.href;
  };
  const [complete, ...parts] = await Promise.all([
    sign('complete', 'complete'),
    ...partSizes(upload.size).map((_, i) => sign(`parts/${i + 1}`, i + 1)),
  ]);
  return { parts, complete };
}

export async function isSigned(ports: Ports, id: string, step: UploadStep, shown: Signature): Promise<boolean> {
  if (!/^[0-9]{1,12}$/.test(shown.expires)) return false;
  const expires = Number(shown.expires);
  const genuine = await sameSecret(shown.signature, await signatureOf(ports, id, step, expires));
  return genuine && expires * 1000 > ports.now();
}

/** The first line is of uploads alone, so that no grant of a file is a signature here, nor the other way about. */
function signatureOf(ports: Ports, id: string, step: UploadStep, expires: number): Promise<string> {
  return hmacHex(ports.settings.grantSecret, `upload v1\n${id}\n${step}\n${expires}`);
}
