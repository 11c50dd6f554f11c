import { openAsBlob } from 'node:fs';
import { DIRECT_BODY_MAX_BYTES, UPLOAD_MAX_BYTES } from '../schemas/limits.ts';
import type { Client } from './client.ts';
import { CliError } from './failure.ts';
import { checkInputFile, reprDigest, sha256Hex } from './files.ts';
import { progressBar } from './progress.ts';
import { uploadInParts } from './upload-parts.ts';

/**
 * Posts a model file to the path that makes something of it: as the body, or in parts where it is too large for one. Answers
 * the reply and the file's SHA-256 in hex.
 */
export async function pushFile(client: Client, path: string, file: string): Promise<{ reply: Response; hex: string }> {
  await checkInputFile(file);
  const body = await openAsBlob(file);
  if (body.size > UPLOAD_MAX_BYTES) {
    throw new CliError('too_large', `${file} has ${body.size} bytes; at most ${UPLOAD_MAX_BYTES} can be uploaded`);
  }
  const hex = await sha256Hex(file);
  const bar = progressBar('upload', body.size);
  const onSent = (sent: number) => bar.update(sent);
  try {
    if (body.size > DIRECT_BODY_MAX_BYTES) {
      const upload = await uploadInParts(client, body, hex, onSent);
      const json = new Blob([JSON.stringify({ upload })]);
      const headers = { 'content-type': 'application/json' };
      return { reply: await client.send(path, { method: 'POST', headers, body: json }), hex };
    }
    const headers = { 'content-type': 'application/octet-stream', 'repr-digest': reprDigest(hex) };
    return { reply: await client.send(path, { method: 'POST', headers, body, onSent }), hex };
  } finally {
    bar.stop();
  }
}
