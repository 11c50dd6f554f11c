import { randomUUID } from 'node:crypto';
import { uploadCompletedSchema, uploadSchema } from '../schemas/api-uploads.ts';
import { type Client, jsonBody, readJson } from './client.ts';
import { CliError } from './failure.ts';
import { whenInterrupted } from './interrupt.ts';
import { patiently } from './patiently.ts';

const CLEAN_UP_MOST_MS = 5_000;

/**
 * Sends a body that is too large for one request in parts, and answers the id of the complete upload. A part whose
 * connection breaks is sent again; `onSent` gets the bytes handed to the network so far. What comes to nothing is deleted.
 */
export async function uploadInParts(
  client: Client,
  body: Blob,
  sha256: string,
  onSent: (bytes: number) => void,
): Promise<string> {
  const { headers, body: json } = jsonBody({ size: body.size, sha256 });
  const begin = { method: 'POST', headers: { ...headers, 'idempotency-key': randomUUID() }, body: json };
  const begun = await patiently(async () => readJson(await client.send('/v1/uploads', begin), uploadSchema));
  const discard = () => discardUpload(client, begun.id);
  const notInterrupted = whenInterrupted(discard);
  try {
    let sent = 0;
    for (const { url, size } of begun.parts) {
      const part = body.slice(sent, sent + size);
      const before = sent;
      const put = { method: 'PUT', headers: { 'content-type': 'application/octet-stream' }, body: part };
      await patiently(() => client.send(here(url), { ...put, onSent: (bytes) => onSent(before + bytes) }));
      sent += size;
    }
    const complete = async () =>
      readJson(await client.send(here(begun.complete), { method: 'POST' }), uploadCompletedSchema);
    const { id, sha256: digest } = await patiently(complete);
    if (digest === `sha256:${sha256}`) return id;
    throw new CliError('bad_reply', `the service answered with digest ${digest}, the file has sha256:${sha256}`);
  } catch (error) {
    await discard();
    throw error;
  } finally {
    notInterrupted();
  }
}

/** Deletes an upload that is of no more use. Where that fails, it expires. */
export async function discardUpload(client: Client, id: string): Promise<void> {
  const signal = AbortSignal.timeout(CLEAN_UP_MOST_MS);
  await client.send(`/v1/uploads/${encodeURIComponent(id)}`, { method: 'DELETE', signal }).catch(() => undefined);
}

/** At the address by which the service was reached, which need not be the one it knows itself by. */
function here(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}
