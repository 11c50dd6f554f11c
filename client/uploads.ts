import { PdoraError } from './errors.ts';
import { patiently } from './patiently.ts';
import { OCTETS } from './volume.ts';
import { type Api, answerOf, heard, raw, signalled } from './wire.ts';

/** What is larger goes in parts (`schemas/limits.ts`). */
export const DIRECT_MOST_BYTES = 95_000_000;

/** Uploads a blob in parts, each again where its connection broke; answers the upload's id. It is read whole for its digest. */
export async function uploadInParts(api: Api, file: Blob, signal?: AbortSignal): Promise<string> {
  const again = { repeatable: true, signal };
  const init = signalled(signal);
  const sha256 = hex(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
  const header = { 'idempotency-key': crypto.randomUUID() };
  const about = { params: { header }, body: { size: file.size, sha256 }, ...init };
  const { data: begun } = await patiently(() => answerOf(() => api.POST('/v1/uploads', about), signal), again);
  try {
    let from = 0;
    for (const [n, { size }] of begun.parts.entries()) {
      const path = { id: begun.id, part: String(n + 1) };
      const put = { params: { path }, ...raw(file.slice(from, from + size), OCTETS), ...init };
      await patiently(() => heard(() => api.PUT('/v1/uploads/{id}/parts/{part}', put), signal), again);
      from += size;
    }
    const end = { params: { path: { id: begun.id } }, ...init };
    await patiently(() => heard(() => api.POST('/v1/uploads/{id}/complete', end), signal), again);
    return begun.id;
  } catch (error) {
    await discard(api, begun.id);
    throw error;
  }
}

/** Deletes an upload that is of no use. One that cannot be deleted goes after 24 hours. */
export async function discard(api: Api, id: string): Promise<void> {
  await heard(() => api.DELETE('/v1/uploads/{id}', { params: { path: { id } } })).catch((error: unknown) => {
    if (!(error instanceof PdoraError)) throw error;
  });
}

function hex(bytes: ArrayBuffer): string {
  return Array.from(new Uint8Array(bytes), (byte) => byte.toString(16).padStart(2, '0')).join('');
}
