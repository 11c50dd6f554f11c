import { env } from 'cloudflare:workers';
import { createHash } from 'node:crypto';
import { parseBaseManifest } from '../../../schemas/manifest.ts';
import { cardOf } from '../../../workers/edge/services/card.ts';
import { need } from '../../support/faults.ts';
import {
  digestOfBase,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
  writeAdapter,
  writeBase,
} from '../../support/safetensors-file.ts';
import { edge } from './edge.ts';

/** One base and adapters of it that the format has nothing against. */
export const BASE_FILE = writeBase();
export const BASE_DIGEST = await digestOfBase(BASE_FILE, tinyArchitecture());

/** Adapters with different descriptions are different files. */
export function adapterFile(description = ''): Uint8Array {
  return writeAdapter(tinyAdapterManifest(BASE_DIGEST, { description }));
}

export const sha256 = (bytes: Uint8Array) => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
export const hex = (digest: string) => digest.slice('sha256:'.length);
export const reprDigest = (bytes: Uint8Array) => `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`;

/** What stands for the base's bytes where a test never looks into them: reading all of it takes a second. */
export const BASE_STAND_IN = new TextEncoder().encode('the bytes of a base');

/** A base as a runner's verification leaves it in D1 and R2; that way itself is tested in bases.test.ts. */
export async function serveBase(): Promise<void> {
  const file = sha256(BASE_STAND_IN);
  const card = cardOf(need(parseBaseManifest(JSON.stringify(tinyBaseManifest()))));
  await env.BLOBS.put(`blobs/${hex(file)}`, BASE_STAND_IN);
  await env.DB.batch([
    env.DB.prepare('INSERT INTO files (digest, size, created_at) VALUES (?, ?, 1)').bind(
      file,
      BASE_STAND_IN.byteLength,
    ),
    env.DB.prepare(
      'INSERT INTO bases (digest, file, name, architecture, card, created_at) VALUES (?, ?, ?, ?, ?, 1)',
    ).bind(BASE_DIGEST, file, 'tiny', JSON.stringify(tinyArchitecture()), JSON.stringify(card)),
  ]);
}

export function push(
  key: string,
  name: string,
  file: Uint8Array,
  headers: Record<string, string> = {},
): Promise<Response> {
  return edge('POST', `/v1/adapters/${encodeURIComponent(name)}/versions`, { key, body: file, headers });
}
