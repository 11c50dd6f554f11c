import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { CliError } from './failure.ts';

/** Throws where a file to be read is missing: found out before any work is done. */
export async function checkInputFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (!found?.isFile()) throw new CliError('no_such_file', `no such file: ${path}`);
}

/** A file as the body of a request, read from disk while it is sent. */
export async function fileBody(path: string): Promise<Blob> {
  await checkInputFile(path);
  return await openAsBlob(path);
}

/** SHA-256 of a file as bare hex digits. */
export async function sha256Hex(path: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(path)) hash.update(chunk);
  return hash.digest('hex');
}

/** SHA-256 of what a request is to send, as bare hex digits. */
export async function sha256OfBody(body: Blob): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of body.stream()) hash.update(chunk);
  return hash.digest('hex');
}

/** The `Repr-Digest` field (RFC 9530) of a SHA-256 in hex. */
export function reprDigest(hex: string): string {
  return `sha-256=:${Buffer.from(hex, 'hex').toString('base64')}:`;
}
