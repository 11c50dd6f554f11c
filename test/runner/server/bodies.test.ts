import { once } from 'node:events';
import { type ClientRequest, type IncomingMessage, request } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { callHeaders, problemOf, startTestRunner, type TestRunner } from '../../support/runner.ts';
import { type ModelFile, noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';

const MEMORY_BYTES = 2 ** 28;
const HALF = MEMORY_BYTES / 2;

describe('memory for bodies', () => {
  let test: TestRunner;
  let model: SmallModel;
  let adapter: ModelFile;
  let volume: Uint8Array<ArrayBuffer>;
  const open: ClientRequest[] = [];

  beforeAll(async () => {
    [test, model] = await Promise.all([
      startTestRunner({ PDORA_MEMORY_MB: String(MEMORY_BYTES / 2 ** 20) }),
      smallModel(),
    ]);
    adapter = await model.adapter();
    test.edge.put(model.base);
    test.edge.put(adapter);
    volume = new Uint8Array(await noiseVolume([20, 20, 20]));
    expect((await post(volume)).status).toBe(200);
  });
  afterAll(async () => await test.close());

  afterEach(async () => {
    for (const one of open.splice(0)) one.destroy();
    await expect.poll(readiness, { timeout: 5_000 }).toContain('"queue":0');
    expect((await post(volume)).status).toBe(200);
  });

  async function readiness(): Promise<string> {
    return await (await fetch(new URL('/readyz', test.url))).text();
  }

  function post(body: Uint8Array<ArrayBuffer>, headers: Record<string, string> = {}): Promise<Response> {
    const all = { ...callHeaders(model.base, adapter), ...headers };
    return fetch(new URL('/segment', test.url), { method: 'POST', headers: all, body });
  }

  /** A call whose body is announced, begun and not ended; its reply, once there is one. */
  async function begin(length: number, headers: Record<string, string> = {}) {
    const all = { ...callHeaders(model.base, adapter), 'content-length': String(length), ...headers };
    const call = request(new URL('/segment', test.url), { method: 'POST', headers: all });
    open.push(call);
    call.on('error', () => {});
    const reply = once(call, 'response').then(([response]: IncomingMessage[]) => response?.statusCode);
    reply.catch(() => {});
    await new Promise<void>((resolve) => call.write(Buffer.alloc(1000), () => resolve()));
    await sleep(100);
    return { call, reply };
  }

  it('is what a body waits for, unread, until another goes', async () => {
    const first = await begin(HALF + 1);
    const second = post(new Uint8Array(HALF));
    const early = await Promise.race([second, sleep(500)]);
    expect(early).toBeUndefined();
    first.call.destroy();
    expect(await problemOf(await second)).toMatchObject({ status: 422, code: 'invalid_volume' });
  });

  it('is enough for two bodies that fit together', async () => {
    await begin(HALF);
    expect((await post(volume)).status).toBe(200);
  });

  it('counts parts twice, for they are put together', async () => {
    await begin(HALF / 2 + 1, { 'content-type': 'multipart/form-data; boundary=b' });
    const second = await begin(HALF);
    second.call.end(Buffer.alloc(HALF - 1000));
    expect(await Promise.race([second.reply, sleep(500)])).toBeUndefined();
    open[0]?.destroy();
    expect(await second.reply).toBe(422);
  });

  it('is not waited for beyond the deadline', async () => {
    await begin(HALF + 1);
    const headers = { 'x-deadline': String(Date.now() + 400) };
    const late = await post(new Uint8Array(HALF), headers);
    expect(await problemOf(late)).toMatchObject({ status: 504, code: 'deadline_exceeded' });
  });

  it('comes back from bodies that end early and from those past their deadline', async () => {
    for (let n = 0; n < 3; n++) {
      const broken = await begin(MEMORY_BYTES);
      broken.call.destroy();
      const late = await begin(MEMORY_BYTES, { 'x-deadline': String(Date.now() + 300) });
      expect(await late.reply).toBe(504);
      late.call.destroy();
    }
    expect((await post(volume)).status).toBe(200);
  });

  it('has gone from a body when it is decoded, while its run goes on', async () => {
    const slow = new Uint8Array(await noiseVolume([64, 96, 96]));
    const headers = callHeaders(model.base, adapter);
    const running = post(slow, headers);
    const state = async () => {
      const reply = await fetch(new URL(`/runs/${headers['x-run-id']}`, test.url), { headers });
      return await reply.text();
    };
    await expect.poll(state, { timeout: 20_000, interval: 20 }).toMatch(/"progress":0\.\d/);
    // All of it: one byte held would leave too little.
    const whole = await begin(MEMORY_BYTES);
    whole.call.end(Buffer.alloc(MEMORY_BYTES - 1000));
    expect(await whole.reply).toBe(422);
    expect(await state()).toContain('"status":"running"');
    expect((await running).status).toBe(200);
  });
});
