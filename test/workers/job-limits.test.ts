import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { ADMIN, cron, deliver, edge, problem, waiting } from './support/edge.ts';
import { adapterFile, push } from './support/files.ts';
import { objects, shown, submit, submitted, VOLUME } from './support/jobs.ts';
import { labelMap } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  await push(world.other, 'tumour', adapterFile());
});

async function limit(json: Record<string, number>): Promise<void> {
  expect((await edge('PUT', '/v1/tenants/acme/quota', { key: ADMIN, json })).status).toBe(200);
}

async function used(): Promise<number> {
  const reply = await edge('GET', '/v1/tenants/acme/quota', { key: ADMIN });
  return (await reply.json<{ usage: { stored_bytes: number } }>()).usage.stored_bytes;
}

describe('segmentations that wait', () => {
  beforeEach(() => limit({ waiting_jobs: 2 }));

  test('are as many as the tenant may have, and another tenant is not touched', async () => {
    await submitted(world.key);
    await submitted(world.key);
    const refused = await submit(world.key);
    expect(await problem(refused)).toMatchObject({ status: 429, code: 'quota_exceeded' });
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await objects('inputs/')).toHaveLength(2);
    await submitted(world.other);
    await deliver();
    await submitted(world.key);
  });

  test('are no more where many are sent at once', async () => {
    const replies = await Promise.all(Array.from({ length: 8 }, () => submit(world.key)));
    const statuses = replies.map(({ status }) => status);
    expect(statuses.filter((status) => status === 202)).toHaveLength(2);
    expect(statuses.filter((status) => status === 429)).toHaveLength(6);
    expect(await objects('inputs/')).toHaveLength(2);
  });
});

test('inputs and results count among the bytes that the tenant stores, as long as they are kept', async () => {
  const before = await used();
  await limit({ stored_bytes: before + VOLUME.byteLength });
  const id = await submitted(world.key);
  expect(await used()).toBe(before + VOLUME.byteLength);
  expect(await problem(await submit(world.key))).toMatchObject({ status: 429, code: 'quota_exceeded' });
  await deliver();
  const result = await edge('GET', `/v1/segmentations/${id}/result`, { key: world.key });
  expect(await used()).toBe(before + Number(result.headers.get('content-length')));
  await edge('DELETE', `/v1/segmentations/${id}`, { key: world.key });
  expect(await used()).toBe(before);
  expect((await submit(world.key)).status).toBe(202);
});

describe('segmentations at once', () => {
  beforeEach(() => limit({ segmentations_at_once: 1 }));

  test('hold for jobs too: the next starts when one has ended, and other tenants do not wait', async () => {
    let running = 0;
    let most = 0;
    world.runner.segment = async (headers) => {
      if (headers.get('x-tenant') === 'acme') most = Math.max(most, ++running);
      await scheduler.wait(100);
      if (headers.get('x-tenant') === 'acme') running -= 1;
      return labelMap(headers);
    };
    const mine = [await submitted(world.key), await submitted(world.key), await submitted(world.key)];
    const theirs = await submitted(world.other);
    await deliver();
    expect((await shown(world.other, theirs)).status).toBe('succeeded');
    for (let turn = 0; turn < 5; turn++) await deliver();
    for (const id of mine) expect(await shown(world.key, id)).toMatchObject({ status: 'succeeded', attempt: 1 });
    expect(most).toBe(1);
  });

  test('hold for both kinds together', async () => {
    const asked = Promise.withResolvers<void>();
    const late = Promise.withResolvers<void>();
    world.runner.segment = async (headers) => {
      asked.resolve();
      await late.promise;
      return labelMap(headers);
    };
    await submitted(world.key);
    const delivered = deliver();
    await asked.promise;
    const now = await edge('POST', '/v1/segmentations?adapter=tumour', { key: world.key, body: VOLUME });
    expect(await problem(now)).toMatchObject({ status: 429, code: 'quota_exceeded' });
    late.resolve();
    await delivered;
    const after = await edge('POST', '/v1/segmentations?adapter=tumour', { key: world.key, body: VOLUME });
    expect(after.status).toBe(200);
  });

  test('a job that was put off is not forgotten where nothing wakes it', async () => {
    const until = Date.now() + 60_000;
    const limits = env.TENANT_LIMITS.getByName('acme');
    await limits.begin({ id: 'elsewhere', most: 1, until });
    const id = await submitted(world.key);
    await deliver();
    expect([waiting(), (await shown(world.key, id)).status]).toEqual([[], 'queued']);
    await limits.end('elsewhere');
    await env.DB.prepare('UPDATE jobs SET lease_until = 1').run();
    await cron();
    await deliver();
    expect((await shown(world.key, id)).status).toBe('succeeded');
  });
});
