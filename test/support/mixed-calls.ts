import { randomUUID } from 'node:crypto';
import { request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import type { Fate, Mix, MixedRequest } from './request-mix.ts';
import { callHeaders, problemOf } from './runner.ts';
import type { SmallModel } from './small-model.ts';

/** What came back: the bytes of an answer, the code of a problem, or nothing, for one who did not wait for it. */
export type Outcome =
  | { readonly kind: 'answer'; readonly bytes: Buffer }
  | { readonly kind: 'problem'; readonly code: string }
  | { readonly kind: 'left' };

/** Asks once. Rejects where no whole reply comes and nobody left. */
export async function ask(url: string, base: SmallModel['base'], { question, fate, tenant }: MixedRequest) {
  const run = randomUUID();
  const { adapter, volume, output, format } = question;
  const choice = { 'x-tenant': tenant, 'x-run-id': run, 'x-output': output, 'x-format': format };
  const headers: Record<string, string> = { ...callHeaders(base, adapter), ...choice };
  const target = new URL('/segment', url);
  if (fate.kind === 'left while sending') return await leaveWhileSending(target, headers, volume, fate.afterMs);
  const leaving = new AbortController();
  const sent = fetch(target, { method: 'POST', headers, body: volume, signal: leaving.signal });
  const outcome = sent.then(outcomeOf).catch((error: unknown): Outcome => {
    if (leaving.signal.aborted) return { kind: 'left' };
    throw error;
  });
  if (fate.kind === 'left while waiting') {
    await Promise.race([pause(fate.afterMs), outcome]);
    leaving.abort();
  } else if (fate.kind === 'cancelled') {
    await Promise.race([pause(fate.afterMs), outcome]);
    await (await fetch(new URL(`/runs/${run}`, url), { method: 'DELETE', headers })).arrayBuffer();
  }
  return await outcome;
}

/** As a client that comes again where there is no room just now. */
async function askPatiently(url: string, base: SmallModel['base'], mixed: MixedRequest): Promise<Outcome> {
  for (;;) {
    const outcome = await ask(url, base, mixed);
    if (outcome.kind !== 'problem' || outcome.code !== 'runner_busy') return outcome;
    await pause(COMES_AGAIN_MS);
  }
}

async function outcomeOf(reply: Response): Promise<Outcome> {
  if (reply.status === 200) return { kind: 'answer', bytes: Buffer.from(await reply.arrayBuffer()) };
  return { kind: 'problem', code: (await problemOf(reply)).code };
}

/** Announces a whole volume, sends half of it and goes. */
async function leaveWhileSending(
  url: URL,
  headers: Record<string, string>,
  volume: Uint8Array,
  afterMs: number,
): Promise<Outcome> {
  const outgoing = request(url, { method: 'POST', headers: { ...headers, 'content-length': volume.length } });
  outgoing.on('error', () => {});
  outgoing.write(volume.subarray(0, volume.length / 2));
  await pause(afterMs);
  outgoing.destroy();
  return { kind: 'left' };
}

/** Long beyond what any of these calls takes. */
const PATIENCE_MS = 600_000;
const COMES_AGAIN_MS = 100;

/** How requests ended: how many of each kind, and each that ended otherwise than it should. */
export interface Tally {
  readonly ended: Map<string, number>;
  readonly faults: string[];
}

export function newTally(): Tally {
  return { ended: new Map(), faults: [] };
}

/** What each question is answered when it is asked alone. */
export async function askAlone(url: string, { base, questions }: Mix): Promise<Map<string, Buffer>> {
  const alone = new Map<string, Buffer>();
  for (const question of questions) {
    const outcome = await ask(url, base, { question, fate: { kind: 'answered' }, tenant: 'alone' });
    if (outcome.kind !== 'answer') throw new Error(`${question.key}: ${JSON.stringify(outcome)}`);
    alone.set(question.key, outcome.bytes);
  }
  return alone;
}

export interface MixedRun {
  readonly url: string;
  readonly mix: Mix;
  readonly alone: ReadonlyMap<string, Buffer>;
  /** Numbers of requests; those before have been taken. */
  readonly from: number;
  readonly to: number;
  readonly atOnce: number;
  /** Whether runs may be lost now, because the session process is being killed. */
  readonly losing?: boolean;
}

/** Sends requests, some at a time, and adds to the tally how they ended. */
export async function askMany({ url, mix, alone, from, to, atOnce, losing = false }: MixedRun, tally: Tally) {
  let next = from;
  const client = async () => {
    while (next < to) {
      const n = next++;
      const mixed = mix.request(n);
      const late = pause(PATIENCE_MS, null, { ref: false });
      const outcome = await Promise.race([askPatiently(url, mix.base, mixed), late]).catch((error: unknown) =>
        String(error),
      );
      const end = endOf(mixed, outcome, alone, losing);
      tally.ended.set(end ?? 'fault', (tally.ended.get(end ?? 'fault') ?? 0) + 1);
      if (end === null)
        tally.faults.push(`${n}: ${JSON.stringify({ ...mixed, question: mixed.question.key })}: ${told(outcome)}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, client));
}

/** How a request ended, or null where it should not have. */
function endOf(
  { question, fate }: MixedRequest,
  outcome: Outcome | string | null,
  alone: ReadonlyMap<string, Buffer>,
  losing: boolean,
): string | null {
  if (outcome === null || typeof outcome === 'string') return null;
  if (outcome.kind === 'left') return fate.kind.startsWith('left') ? fate.kind : null;
  if (outcome.kind === 'problem') {
    if (losing && outcome.code === 'runner_unavailable') return 'lost';
    return expectedCode(fate) === outcome.code ? `${fate.kind}: ${outcome.code}` : null;
  }
  // Who changes their mind too late is answered.
  if (fate.kind === 'refused') return null;
  return alone.get(question.key)?.equals(outcome.bytes) === true ? 'answered' : null;
}

function expectedCode(fate: Fate): string | null {
  if (fate.kind === 'refused') return fate.code;
  return fate.kind === 'cancelled' ? 'cancelled' : null;
}

function told(outcome: Outcome | string | null): string {
  if (outcome === null) return 'no answer';
  if (typeof outcome === 'string') return outcome;
  return outcome.kind === 'answer'
    ? `an answer of ${outcome.bytes.length} bytes, another than alone`
    : JSON.stringify(outcome);
}
