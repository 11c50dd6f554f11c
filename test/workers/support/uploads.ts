import { env } from 'cloudflare:workers';
import { type Call, edge, ORIGIN } from './edge.ts';
import { BASE_DIGEST, sha256 } from './files.ts';

/** An upload as the reply to its beginning shows it, with R2's name for its parts. */
export interface Begun {
  readonly id: string;
  readonly parts: readonly { readonly url: string; readonly size: number; readonly received: boolean }[];
  readonly complete: string;
  readonly multipart: string;
}

export async function begin(key: string, size: number, digest: string): Promise<Begun> {
  const reply = await edge('POST', '/v1/uploads', { key, json: { size, sha256: digest } });
  if (reply.status !== 201) throw new Error(`upload: ${reply.status} ${await reply.text()}`);
  const begun = await reply.json<Omit<Begun, 'multipart'>>();
  const row = await env.DB.prepare('SELECT multipart FROM uploads WHERE id = ?')
    .bind(begun.id)
    .first<{ multipart: string }>();
  if (row === null) throw new Error('the upload is not in the database');
  return { ...begun, ...row };
}

/** Without a key, as a signed URL allows. */
export function put(url = '', body: Call['body'] = null, call: Call = {}): Promise<Response> {
  return edge('PUT', url.replace(ORIGIN, ''), { ...call, body });
}

export function complete(url: string): Promise<Response> {
  return edge('POST', url.replace(ORIGIN, ''));
}

/** Every part of a body is there; the upload is not complete. */
export async function send(key: string, body: Uint8Array): Promise<Begun> {
  const begun = await begin(key, body.byteLength, sha256(body));
  let sent = 0;
  for (const { url, size } of begun.parts) {
    const reply = await put(url, body.subarray(sent, sent + size));
    if (reply.status !== 204) throw new Error(`part: ${reply.status} ${await reply.text()}`);
    sent += size;
  }
  return begun;
}

/** A complete upload. */
export async function upload(key: string, body: Uint8Array): Promise<Begun> {
  const begun = await send(key, body);
  const reply = await complete(begun.complete);
  if (reply.status !== 200) throw new Error(`complete: ${reply.status} ${await reply.text()}`);
  return begun;
}

/** A job as the database keeps it. */
export async function makeJob(id: string, columns: Readonly<Record<string, string | number>> = {}): Promise<void> {
  const row = {
    id,
    tenant: 'acme',
    actor: 'key:test',
    request: 'test',
    trace: '-',
    base: BASE_DIGEST,
    output: 'labels',
    format: 'nifti',
    input: '{}',
    input_bytes: 9,
    status: 'queued',
    created_at: 1,
    deadline_at: 2,
    ...columns,
  };
  const names = Object.keys(row);
  await env.DB.prepare(`INSERT INTO jobs (${names.join()}) VALUES (${names.map(() => '?').join()})`)
    .bind(...Object.values(row))
    .run();
}

export async function jobThatReads(id: string, status: string): Promise<void> {
  await makeJob(`job-of-${id}`, { status });
  await env.DB.prepare('INSERT INTO job_inputs VALUES (?, ?)').bind(`job-of-${id}`, id).run();
}
