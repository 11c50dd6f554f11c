import { env } from 'cloudflare:workers';
import { beforeEach, expect, test } from 'vitest';
import { ADMIN, edge, problem } from './support/edge.ts';
import { adapterFile, hex, push, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const digest = sha256(file);

const bytes = (text: string) => new TextEncoder().encode(text);

/** A grant as the agreement between edge and runner writes it. */
async function grantOf(of: string, expiry: number, secret = env.GRANT_SECRET): Promise<string> {
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const key = await crypto.subtle.importKey('raw', bytes(secret), algorithm, false, ['sign']);
  const signature = await crypto.subtle.sign('HMAC', key, bytes(`v1\n${hex(of)}\n${expiry}`));
  return `v1.${expiry}.${Buffer.from(signature).toString('hex')}`;
}

const inAMinute = () => Math.floor(Date.now() / 1000) + 60;
const fetchBlob = (of: string, key: string | undefined, grant: string) =>
  edge('GET', `/internal/blobs/${hex(of)}`, { key, headers: { 'x-grant': grant } });

beforeEach(() => push(world.key, 'tumour', file));

test('a runner with token and grant gets the file with its length', async () => {
  const reply = await fetchBlob(digest, env.RUNNER_TOKEN, await grantOf(digest, inAMinute()));
  expect(reply.status).toBe(200);
  expect(reply.headers.get('content-length')).toBe(String(file.byteLength));
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(file);
});

test('without the runner token it gets nothing, whatever key it has', async () => {
  const grant = await grantOf(digest, inAMinute());
  for (const key of [undefined, ADMIN, world.key, `${env.RUNNER_TOKEN}x`]) {
    expect(await problem(await fetchBlob(digest, key, grant))).toMatchObject({ status: 401, code: 'unauthorized' });
  }
});

test('a grant that ran out, is for another file, is forged or is none opens nothing', async () => {
  const other = sha256(adapterFile('other'));
  const good = await grantOf(digest, inAMinute());
  const refused = [
    await grantOf(digest, Math.floor(Date.now() / 1000) - 1),
    await grantOf(other, inAMinute()),
    await grantOf(digest, inAMinute(), 'another secret of the tests'),
    good.replace(/\.\d+\./, `.${inAMinute() + 600}.`),
    good.slice(0, -1),
    good.replace('v1.', 'v2.'),
    '',
  ];
  for (const grant of refused) {
    expect(await problem(await fetchBlob(digest, env.RUNNER_TOKEN, grant))).toMatchObject({
      status: 403,
      code: 'forbidden',
    });
  }
});

test('a file that is not there is not found, and a path that is no digest is refused', async () => {
  const absent = sha256(new Uint8Array(1));
  const reply = await fetchBlob(absent, env.RUNNER_TOKEN, await grantOf(absent, inAMinute()));
  expect(await problem(reply)).toMatchObject({ status: 404, code: 'not_found' });
  for (const path of ['x', '..%2f..%2fstaging', 'A'.repeat(64)]) {
    expect((await edge('GET', `/internal/blobs/${path}`, { key: env.RUNNER_TOKEN })).status).toBe(400);
  }
});
