import { applyD1Migrations, createExecutionContext, reset, waitOnExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import type { Scope } from '../../../schemas/api.ts';
import worker from '../../../workers/edge/index.ts';
import { type HeldQueue, heldQueue } from './queue.ts';

export const ADMIN = env.ADMIN_KEY;
export const ORIGIN = 'https://edge.example';

export interface Call {
  readonly key?: string | undefined;
  readonly headers?: Record<string, string>;
  readonly json?: unknown;
  readonly body?: Uint8Array | ReadableStream<Uint8Array> | string | null;
  readonly signal?: AbortSignal;
  /** Vars, secrets and bindings other than those of the tests. */
  readonly vars?: Record<string, unknown>;
  /** What the Worker is bound to, where it is not the storages as they are. */
  readonly env?: Env;
}

/** Where the Worker's messages wait for the test. */
let queue: HeldQueue = heldQueue();

/** The Worker's bindings, with the test's queue among them. */
export function bindings(): Env {
  return { ...env, JOBS: queue.binding };
}

/** What is in the queue. */
export const waiting = () => queue.waiting;

/** Has the Worker consume what is in the queue. */
export const deliver = () => queue.deliver(bindings());

/** Empty D1, R2 and queue with the tables as the migrations make them. */
export async function freshState(): Promise<void> {
  await reset();
  queue = heldQueue();
  await applyD1Migrations(env.DB, env.MIGRATIONS);
}

/** Calls the Worker and waits for its reply, not for what goes on after it. */
export async function callEdge(
  method: string,
  path: string,
  call: Call = {},
): Promise<{ reply: Response; settled: () => Promise<void> }> {
  const headers = new Headers(call.headers);
  if (call.key !== undefined) headers.set('authorization', `Bearer ${call.key}`);
  const body = call.json === undefined ? (call.body ?? null) : JSON.stringify(call.json);
  if (call.json !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
  const length =
    typeof body === 'string'
      ? new TextEncoder().encode(body).byteLength
      : body instanceof Uint8Array
        ? body.byteLength
        : null;
  if (length !== null && !headers.has('content-length')) headers.set('content-length', String(length));
  const request = new Request<unknown, IncomingRequestCfProperties>(ORIGIN + path, {
    method,
    headers,
    body,
    ...(call.signal === undefined ? {} : { signal: call.signal }),
  });
  const context = createExecutionContext();
  const reply = await worker.fetch(request, { ...bindings(), ...call.env, ...call.vars }, context);
  return { reply, settled: () => waitOnExecutionContext(context) };
}

/** Calls the Worker and waits for all that the call set off. */
export async function edge(method: string, path: string, call: Call = {}): Promise<Response> {
  const { reply, settled } = await callEdge(method, path, call);
  // What goes on until the reply is delivered ends only once it has been read.
  const body = reply.body === null ? null : await reply.arrayBuffer();
  await settled();
  return new Response(body, reply);
}

/** Lets the cron run. */
export async function cron(schedule = '* * * * *'): Promise<void> {
  const context = createExecutionContext();
  const controller = { scheduledTime: Date.now(), cron: schedule, noRetry: () => {} };
  await worker.scheduled(controller, bindings(), context);
  await waitOnExecutionContext(context);
}

export async function makeTenant(id: string): Promise<void> {
  const reply = await edge('POST', '/v1/tenants', { key: ADMIN, json: { id } });
  if (reply.status !== 201) throw new Error(`tenant: ${reply.status} ${await reply.text()}`);
}

export const ALL_SCOPES: Scope[] = ['adapters:read', 'adapters:write', 'segment', 'tenant:admin'];

export async function makeKey(
  tenant: string,
  scopes: Scope[] = ALL_SCOPES,
  expiresAt?: string,
): Promise<{ id: string; key: string }> {
  const json = { name: 'test', scopes, ...(expiresAt === undefined ? {} : { expires_at: expiresAt }) };
  const reply = await edge('POST', `/v1/tenants/${tenant}/keys`, { key: ADMIN, json });
  if (reply.status !== 201) throw new Error(`key: ${reply.status} ${await reply.text()}`);
  return reply.json();
}

/** Everything that is stored: keys of the bucket, rows of every table but the tenants and their keys. */
export async function stored(): Promise<{ blobs: string[]; rows: Record<string, number> }> {
  const { objects } = await env.BLOBS.list();
  const rows: Record<string, number> = {};
  for (const table of ['files', 'file_holds', 'bases', 'adapters', 'versions', 'aliases', 'grants']) {
    const row = await env.DB.prepare(`SELECT count(*) AS count FROM ${table}`).first<{ count: number }>();
    rows[table] = row?.count ?? -1;
  }
  return { blobs: objects.map((object) => object.key).toSorted(), rows };
}

/** Checks what every error of the API has and answers its body. */
export async function problem(
  reply: Response,
): Promise<{ status: number; code: string; detail: string; problems?: { code: string; path: string }[] }> {
  const body = await reply.json<{
    status: number;
    code: string;
    detail: string;
    request_id: string;
    title: string;
    type: string;
  }>();
  if (reply.headers.get('content-type') !== 'application/problem+json') throw new Error('not a problem document');
  if (body.status !== reply.status) throw new Error('the problem has another status than the reply');
  if (body.request_id === '' || body.request_id !== reply.headers.get('x-request-id')) throw new Error('no request id');
  if (body.title === '' || body.type === '') throw new Error('no title or type');
  return body;
}
