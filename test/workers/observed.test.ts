import { env } from 'cloudflare:workers';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { deliver, edge, problem } from './support/edge.ts';
import { adapterFile, push } from './support/files.ts';
import { submit, submitted } from './support/jobs.ts';
import { labelMap } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparent = `00-${TRACE_ID}-00f067aa0ba902b7-01`;
const PATIENT = 'Doe^Jane.nii.gz';

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  world.runner.calls.length = 0;
  world.runner.segment = (headers) => labelMap(headers);
});
afterEach(() => void vi.restoreAllMocks());

const segment = (headers: Record<string, string> = {}) =>
  edge('POST', '/v1/segmentations?adapter=tumour', { key: world.key, body: new Uint8Array(500), headers });
const traceOfCall = () => world.runner.calls.find(({ path }) => path === '/segment')?.headers.get('traceparent');

describe('the trace of a segmentation', () => {
  test("is the caller's, passed on as it came", async () => {
    await segment({ traceparent });
    expect(traceOfCall()).toBe(traceparent);
  });

  test.each([{}, { traceparent: `00-${'0'.repeat(32)}-00f067aa0ba902b7-01` }])(
    'begins where there is none: %j',
    async (headers) => {
      await segment(headers);
      expect(traceOfCall()).toMatch(/^00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-01$/);
    },
  );

  test('is kept with a job, whose attempt is part of it whenever that comes', async () => {
    await submitted(world.key, undefined, { headers: { traceparent } });
    await deliver();
    expect(traceOfCall()).toBe(traceparent);
  });
});

/** Everything that the Worker writes, as one text. */
function writtenBy() {
  const spies = (['log', 'info', 'warn', 'error', 'debug'] as const).map((level) =>
    vi.spyOn(console, level).mockImplementation(() => {}),
  );
  return () => spies.flatMap(({ mock }) => mock.calls.flat().map(String));
}

describe('the log', () => {
  test('tells of a fault in one JSON line, with its request and trace', async () => {
    const written = writtenBy();
    const DB = new Proxy(env.DB, {
      get() {
        throw new TypeError('a fault of ours');
      },
    });
    const reply = await edge('GET', '/v1/adapters', { key: world.key, headers: { traceparent }, env: { ...env, DB } });
    expect(reply.status).toBe(500);
    const found = written().map((line) => JSON.parse(line));
    expect(found).toContainEqual(
      expect.objectContaining({
        level: 'error',
        request: reply.headers.get('x-request-id'),
        trace: TRACE_ID,
        error: expect.stringContaining('a fault of ours'),
      }),
    );
  });

  test('holds no key, no name of a file and no byte of an image, whatever fails', async () => {
    const written = writtenBy();
    const part = `Content-Disposition: form-data; name="T1"; filename="${PATIENT}"`;
    const form = `--b\r\n${part}\r\n\r\n${PATIENT}\r\n--b--\r\n`;
    const headers = { 'content-type': 'multipart/form-data; boundary=b' };
    const attempts = [
      () => edge('POST', '/v1/segmentations?adapter=tumour', { key: world.key, body: form, headers }),
      () =>
        edge('POST', '/v1/segmentations?adapter=tumour', { key: `${world.key}-of-Doe^Jane`, body: new Uint8Array(9) }),
      () => edge('POST', '/v1/tenants', { key: world.key, json: { id: PATIENT } }),
      () => submit(world.key, 'adapter=tumour', { body: new TextEncoder().encode(PATIENT) }),
    ];
    const failures = [
      () => labelMap(new Headers()),
      () => new Response(PATIENT, { status: 500 }),
      () => {
        throw new Error('broke off');
      },
    ];
    for (const failure of failures) {
      world.runner.segment = failure;
      for (const attempt of attempts) {
        const reply = await attempt();
        if (!reply.ok) await problem(reply);
        await deliver();
      }
    }
    const text = written().join('\n');
    expect(text).toContain('broke off');
    for (const secret of [world.key, 'Doe^Jane', env.RUNNER_TOKEN, env.GRANT_SECRET, env.KEY_PEPPER, env.ADMIN_KEY]) {
      expect(text).not.toContain(secret);
    }
  });
});
