import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { portsOf } from '../../workers/edge/ports.ts';
import { keepHouse } from '../../workers/edge/services/housekeeping/keep-house.ts';
import { cron, edge, stored } from './support/edge.ts';
import { adapterFile, hex, push, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const HOUR_MS = 3_600_000;
const left = sha256(new Uint8Array(9));

/** A file that an upload put and then came no further. */
async function leaveBehind(holdUntil: number | null, markedAt: number | null = null): Promise<void> {
  await env.BLOBS.put(`blobs/${hex(left)}`, new Uint8Array(9));
  await env.DB.prepare('INSERT INTO files (digest, size, deleting_at, created_at) VALUES (?, 9, ?, 1)')
    .bind(left, markedAt)
    .run();
  if (holdUntil !== null) await env.DB.prepare("INSERT INTO file_holds VALUES ('h', ?, ?)").bind(left, holdUntil).run();
}

const housekeeping = () => cron('17 * * * *');
const isThere = async () => (await stored()).blobs.includes(`blobs/${hex(left)}`);

test('a file that nothing points at and nobody holds is taken away', async () => {
  await leaveBehind(null);
  await housekeeping();
  expect(await isThere()).toBe(false);
  expect((await stored()).rows).toMatchObject({ files: 1, file_holds: 0 });
});

test('a file whose upload is under way stays until the hold has run out', async () => {
  await leaveBehind(Date.now() + HOUR_MS);
  await housekeeping();
  expect(await isThere()).toBe(true);
  await env.DB.prepare('UPDATE file_holds SET expires_at = 1').run();
  await housekeeping();
  expect(await isThere()).toBe(false);
});

test('what another is just taking away is left to it, and finished where it never was', async () => {
  await leaveBehind(null, Date.now());
  await housekeeping();
  expect(await isThere()).toBe(true);
  await env.DB.prepare('UPDATE files SET deleting_at = 1 WHERE deleting_at IS NOT NULL').run();
  await housekeeping();
  expect(await isThere()).toBe(false);
});

test('an upload that meets the mark waits, and puts the file again', async () => {
  const file = adapterFile();
  await env.DB.prepare('INSERT INTO files (digest, size, deleting_at, created_at) VALUES (?, ?, ?, 1)')
    .bind(sha256(file), file.byteLength, Date.now())
    .run();
  const pushed = push(world.key, 'tumour', file);
  await scheduler.wait(300);
  expect((await stored()).rows).toMatchObject({ versions: 0 });
  await env.DB.prepare('DELETE FROM files WHERE deleting_at IS NOT NULL').run();
  expect((await pushed).status).toBe(201);
  const reply = await edge('GET', '/v1/adapters/tumour/file', { key: world.key });
  expect(new Uint8Array(await reply.arrayBuffer())).toEqual(file);
});

test('files of versions and bases stay', async () => {
  await push(world.key, 'tumour', adapterFile());
  const before = await stored();
  await housekeeping();
  expect(await stored()).toEqual(before);
});

test('staged bodies are cleared once their upload can no longer be under way', async () => {
  await env.BLOBS.put('staging/left', new Uint8Array(9));
  await housekeeping();
  expect((await stored()).blobs).toContain('staging/left');
  await keepHouse({ ...portsOf(env, createExecutionContext()), now: () => Date.now() + 2 * HOUR_MS });
  expect((await stored()).blobs).not.toContain('staging/left');
});
