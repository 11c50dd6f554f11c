import { createHash, createHmac, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { uploadSchema } from '../../schemas/api-uploads.ts';
import { baseParameters } from '../../schemas/architecture.ts';
import { UPLOAD_PART_BYTES } from '../../schemas/limits.ts';
import {
  digestOfBase,
  type FileTensor,
  tinyArchitecture,
  tinyBaseManifest,
  writeBase,
} from '../support/safetensors-file.ts';
import { type Edge, SECRETS, startEdge } from './support/edge.ts';
import { ISOLATE_MAX_MIB, mostHeldDuring } from './support/heap.ts';
import { type StubRunner, startStubRunner } from './support/stub-runner.ts';

/** The size of a network in practice: 249 MB of weights. */
const architecture = tinyArchitecture({ feature_size: 48 });

let runner: StubRunner;
let edge: Edge;

beforeAll(async () => {
  runner = await startStubRunner();
  edge = await startEdge([runner.url], undefined, { inspect: true });
});
afterAll(async () => {
  await edge.close();
  await runner.close();
});

/** A base whose weights are any bytes at all: the edge reads none of them as numbers. */
function largeBase(): Uint8Array {
  const tensors: FileTensor[] = [...baseParameters(architecture)].map(([name, shape]) => ({
    name,
    dtype: 'F32',
    shape,
    data: randomBytes(4 * shape.reduce((product, side) => product * side, 1)),
  }));
  return writeBase({ ...tinyBaseManifest(), architecture }, tensors);
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');

async function stored(hex: string): Promise<Response> {
  const expiry = Math.floor(Date.now() / 1000) + 60;
  const signature = createHmac('sha256', SECRETS.GRANT_SECRET).update(`v1\n${hex}\n${expiry}`).digest('hex');
  const headers = { 'x-grant': `v1.${expiry}.${signature}` };
  return edge.call('GET', `/internal/blobs/${hex}`, { key: SECRETS.RUNNER_TOKEN, headers });
}

/** By the URLs as they came, without a key, two parts at once; then it is served, and its bytes are read back. */
async function serveInParts(file: Uint8Array): Promise<void> {
  const hex = sha256(file);
  const begin = { json: { size: file.byteLength, sha256: hex } };
  const begun = uploadSchema.parse(await (await edge.call('POST', '/v1/uploads', begin)).json());
  const parts = begun.parts.map(({ url, size }, i) => ({
    url,
    body: file.subarray(i * UPLOAD_PART_BYTES, i * UPLOAD_PART_BYTES + size),
  }));
  for (let i = 0; i < parts.length; i += 2) {
    const replies = await Promise.all(
      parts.slice(i, i + 2).map(({ url, body }) => fetch(url, { method: 'PUT', body: new Uint8Array(body) })),
    );
    expect(new Set(replies.map((reply) => reply.status))).toEqual(new Set([204]));
  }
  const completed = await fetch(begun.complete, { method: 'POST' });
  expect(await completed.json()).toEqual({ id: begun.id, size: file.byteLength, sha256: `sha256:${hex}` });
  const served = await edge.call('POST', '/v1/bases', { json: { upload: begun.id } });
  expect(served.status).toBe(201);
  expect(await served.json()).toMatchObject({ digest: await digestOfBase(file, architecture), size: file.byteLength });
  const hash = createHash('sha256');
  for await (const chunk of (await stored(hex)).body ?? []) hash.update(chunk);
  expect(hash.digest('hex')).toBe(hex);
  expect((await edge.call('GET', `/v1/uploads/${begun.id}`)).status).toBe(404);
}

test('a base of 249 MB comes in parts and is served byte for byte, while the Worker holds little of it', async () => {
  const base = largeBase();
  expect(base.byteLength).toBeGreaterThan(200_000_000);
  if (edge.inspector === undefined) throw new Error('no inspector');
  const most = await mostHeldDuring(edge.inspector, () => serveInParts(base));
  expect(most).toBeLessThan(ISOLATE_MAX_MIB);
});
