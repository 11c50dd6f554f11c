import { setTimeout as sleep } from 'node:timers/promises';
import { uploadCompletedSchema, uploadSchema } from '../schemas/api-uploads.ts';
import { type Client, readJson } from './client.ts';
import { CliError } from './failure.ts';

/** Pauses before a call that found no answer is made again. */
const PAUSES_MS = [500, 2_000, 8_000];
/** What a second try may mend: a broken connection, or a storage that was away for a moment. */
const PASSING = ['unreachable', 'storage_unavailable'];

/**
 * Sends a body that is too large for one request in parts, and answers the id of the complete upload. A part whose
 * connection breaks is sent again; `onSent` gets the bytes handed to the network so far.
 */
export async function uploadInParts(
  client: Client,
  body: Blob,
  sha256: string,
  onSent: (bytes: number) => void,
): Promise<string> {
  const json = { size: body.size, sha256 };
  const begun = await patiently(() => client.json('POST', '/v1/uploads', uploadSchema, {}, json));
  let sent = 0;
  for (const { url, size } of begun.parts) {
    const part = body.slice(sent, sent + size);
    const headers = { 'content-type': 'application/octet-stream' };
    const before = sent;
    await patiently(() =>
      client.send(here(url), { method: 'PUT', headers, body: part, onSent: (bytes) => onSent(before + bytes) }),
    );
    sent += size;
  }
  const complete = async () =>
    readJson(await client.send(here(begun.complete), { method: 'POST' }), uploadCompletedSchema);
  const { id, sha256: digest } = await patiently(complete);
  if (digest === `sha256:${sha256}`) return id;
  throw new CliError('bad_reply', `the service answered with digest ${digest}, the file has sha256:${sha256}`);
}

/** At the address by which the service was reached, which need not be the one it knows itself by. */
function here(url: string): string {
  const { pathname, search } = new URL(url);
  return pathname + search;
}

async function patiently<T>(call: () => Promise<T>): Promise<T> {
  for (const pause of PAUSES_MS) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof CliError) || !PASSING.includes(error.code)) throw error;
      await sleep(pause);
    }
  }
  return await call();
}
