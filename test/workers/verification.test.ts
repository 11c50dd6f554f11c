import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { callEdge, cron, edge, problem } from './support/edge.ts';
import { adapterFile, hex, push, sha256 } from './support/files.ts';
import { verified } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const path = '/v1/adapters/tumour';
const PROBLEM = { code: 'selftest', path: 'manifest.selftest', message: 'expected 1 within 0.001, found 2' };

/** What a cut-off Worker leaves: a version that nothing is at work on, due now. */
async function due(): Promise<void> {
  await env.DB.prepare('UPDATE versions SET lease = NULL, lease_until = 0').run();
}

async function status(): Promise<unknown> {
  const row = await env.DB.prepare('SELECT status FROM versions').first<{ status: string }>();
  return row?.status;
}

test('the runner is told which adapter, which base, and what it may fetch for it', async () => {
  await push(world.key, 'tumour', file);
  const headers = world.runner.calls[0]?.headers;
  expect(headers?.get('authorization')).toBe(`Bearer ${env.RUNNER_TOKEN}`);
  expect(headers?.get('x-adapter-digest')).toBe(sha256(file));
  for (const [digest, grant] of [
    [headers?.get('x-adapter-digest'), headers?.get('x-grant')],
    [headers?.get('x-base-file'), headers?.get('x-base-grant')],
  ]) {
    const fetched = await edge('GET', `/internal/blobs/${hex(digest ?? '')}`, {
      key: env.RUNNER_TOKEN,
      headers: { 'x-grant': grant ?? '' },
    });
    expect(fetched.status).toBe(200);
    expect(sha256(new Uint8Array(await fetched.arrayBuffer()))).toBe(digest);
  }
});

test('what the runner finds wrong makes the version rejected, with its problems, and it cannot be used', async () => {
  world.runner.verify = (headers) => verified(headers, [PROBLEM]);
  expect((await push(world.key, 'tumour', file)).status).toBe(201);
  const shown = await edge('GET', path, { key: world.key });
  expect(await shown.json()).toMatchObject({
    latest: null,
    version: 1,
    status: 'rejected',
    problems: [PROBLEM],
    aliases: {},
  });
  const used = await edge('POST', '/v1/segmentations?adapter=tumour', { key: world.key, body: new Uint8Array(9) });
  expect(await problem(used)).toMatchObject({ status: 409, code: 'adapter_not_ready' });
});

test('a rejected version that is uploaded again is verified again', async () => {
  world.runner.verify = (headers) => verified(headers, [PROBLEM]);
  await push(world.key, 'tumour', file);
  world.runner.verify = (headers) => verified(headers);
  const again = await push(world.key, 'tumour', file);
  expect(again.status).toBe(200);
  expect(await again.json()).toMatchObject({ version: 1, status: 'verifying' });
  expect(await status()).toBe('ready');
});

test("a runner's own refusal of the file rejects it too", async () => {
  const body = { code: 'invalid_adapter', detail: 'not an adapter', problems: [PROBLEM] };
  world.runner.verify = () =>
    Response.json(body, { status: 422, headers: { 'content-type': 'application/problem+json' } });
  await push(world.key, 'tumour', file);
  expect(await status()).toBe('rejected');
});

describe('where no runner is there', () => {
  test('the version waits, and whoever reads it has it taken up again', async () => {
    world.runner.down = true;
    expect((await push(world.key, 'tumour', file)).status).toBe(201);
    expect(await status()).toBe('verifying');
    world.runner.down = false;
    await due();
    expect(await (await edge('GET', path, { key: world.key })).json()).toMatchObject({ status: 'verifying' });
    expect(await (await edge('GET', path, { key: world.key })).json()).toMatchObject({ status: 'ready' });
  });

  test('the cron takes it up again', async () => {
    world.runner.down = true;
    await push(world.key, 'tumour', file);
    world.runner.down = false;
    await due();
    await cron();
    expect(await status()).toBe('ready');
  });

  test('it is due again within seconds, not before', async () => {
    world.runner.down = true;
    await push(world.key, 'tumour', file);
    const row = await env.DB.prepare('SELECT lease, lease_until FROM versions').first<{
      lease: null;
      lease_until: number;
    }>();
    expect(row?.lease).toBeNull();
    expect(row?.lease_until).toBeGreaterThan(Date.now() - 1);
    expect(row?.lease_until).toBeLessThan(Date.now() + 5_000);
  });
});

test.each([
  ['of another file', () => Response.json({ digest: `sha256:${'1'.repeat(64)}`, problems: [] })],
  ['that cannot be read', () => new Response('ready!')],
  ['that it is our fault', () => new Response(null, { status: 401 })],
])('an answer %s makes no version ready', async (_, answer) => {
  world.runner.verify = answer;
  await push(world.key, 'tumour', file);
  expect(await status()).toBe('verifying');
});

test('one version is never verified twice at a time', async () => {
  const { promise: opened, resolve: open } = Promise.withResolvers<void>();
  world.runner.verify = async (headers) => {
    await opened;
    return verified(headers);
  };
  const body = { key: world.key, body: file };
  const { reply, settled } = await callEdge('POST', `${path}/versions`, body);
  expect(reply.status).toBe(201);
  await edge('GET', path, { key: world.key });
  await cron();
  await push(world.key, 'tumour', file);
  open();
  await settled();
  expect(world.runner.calls).toHaveLength(1);
  expect(await status()).toBe('ready');
});

test('a verification that lost its lease changes nothing', async () => {
  world.runner.verify = async (headers) => {
    await env.DB.prepare("UPDATE versions SET lease = 'another', lease_until = 9e15").run();
    return verified(headers);
  };
  await push(world.key, 'tumour', file);
  expect(await status()).toBe('verifying');
});

test('a version that is deleted during its verification stays deleted', async () => {
  world.runner.verify = async (headers) => {
    expect((await edge('DELETE', `${path}/versions/1`, { key: world.key })).status).toBe(204);
    return verified(headers);
  };
  await push(world.key, 'tumour', file);
  expect((await edge('GET', path, { key: world.key })).status).toBe(404);
});
