import { createExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { type Ports, portsOf } from '../../workers/edge/ports.ts';
import { uploadVersion } from '../../workers/edge/services/adapters/upload.ts';
import { keepHouse } from '../../workers/edge/services/housekeeping/keep-house.ts';
import { edge } from './support/edge.ts';
import { adapterFile, hex, push, sha256 } from './support/files.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();
const file = adapterFile();
const digest = sha256(file);

/** A place where one of the two waits: before a call, or when the call is done and its answer not yet read. */
type Point = `${'before' | 'after'} ${'mark' | 'remove' | 'forget' | 'hold' | 'has' | 'put' | 'register'}`;

const COLLECTOR: readonly Point[] = ['before mark', 'before remove', 'before forget', 'after forget'];
const UPLOADER: readonly Point[] = ['before hold', 'before has', 'before put', 'before register', 'after register'];
/** Longer than anything here takes that does not wait for the other. */
const STUCK_MS = 250;

/** Ports that stop once at the point; `reached` says when, `go` lets them on. */
function stoppingAt(point: Point, ports: Ports) {
  const reached = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  let stopped = false;
  const stop = async (here: Point) => {
    if (here !== point || stopped) return;
    stopped = true;
    reached.resolve();
    await gate.promise;
  };
  const around =
    <A extends unknown[], R>(
      name: 'mark' | 'remove' | 'forget' | 'hold' | 'has' | 'put' | 'register',
      call: (...args: A) => Promise<R>,
    ) =>
    async (...args: A): Promise<R> => {
      await stop(`before ${name}`);
      const result = await call(...args);
      await stop(`after ${name}`);
      return result;
    };
  const { files, versions } = ports.catalogue;
  const stopping: Ports = {
    ...ports,
    blobs: {
      ...ports.blobs,
      remove: around('remove', (of: string) => ports.blobs.remove(of)),
      has: around('has', (of: string) => ports.blobs.has(of)),
      put: around('put', (of: string, body: ReadableStream<Uint8Array>) => ports.blobs.put(of, body)),
    },
    catalogue: {
      ...ports.catalogue,
      files: {
        ...files,
        mark: around('mark', (...args: Parameters<typeof files.mark>) => files.mark(...args)),
        forget: around('forget', (...args: Parameters<typeof files.forget>) => files.forget(...args)),
        hold: around('hold', (...args: Parameters<typeof files.hold>) => files.hold(...args)),
      },
      versions: {
        ...versions,
        register: around('register', (...args: Parameters<typeof versions.register>) => versions.register(...args)),
      },
    },
  };
  return { ports: stopping, reached: reached.promise, go: gate.resolve };
}

const OPERATOR = { kind: 'operator' } as const;
const realPorts = () => portsOf(env, createExecutionContext());

/** The file is in the bucket with no version, and its grace is over: what a collector takes. */
async function leaveUnused(): Promise<void> {
  await push(world.key, 'before', file);
  await edge('DELETE', '/v1/adapters/before', { key: world.key });
  await env.DB.prepare('UPDATE files SET unused_since = 1 WHERE digest = ?').bind(digest).run();
}

async function race(collectorAt: Point, uploaderAt: Point, first: 'collector' | 'uploader'): Promise<void> {
  const collector = stoppingAt(collectorAt, realPorts());
  const uploader = stoppingAt(uploaderAt, realPorts());
  const collect = () => keepHouse(collector.ports);
  const upload = () =>
    uploadVersion(
      uploader.ports,
      OPERATOR,
      { tenant: 'acme', name: 'tumour' },
      {
        body: new Blob([new Uint8Array(file)]).stream(),
        size: file.byteLength,
        digest,
        fromCaller: true,
      },
    );
  const running: Promise<unknown>[] = [];
  const begin = async (start: () => Promise<unknown>, reached: Promise<void>) => {
    const run = start();
    running.push(run);
    // It stops at its point, ends without coming by there, or waits for the other.
    await Promise.race([reached, run.catch(() => {}), scheduler.wait(STUCK_MS)]);
  };
  const order = [
    [collect, collector.reached],
    [upload, uploader.reached],
  ] as const;
  for (const [start, reached] of first === 'collector' ? order : order.toReversed()) await begin(start, reached);
  // The one that came second goes on first, as far as it can.
  const gates = first === 'collector' ? [uploader.go, collector.go] : [collector.go, uploader.go];
  gates[0]?.();
  await Promise.race([running[1]?.catch(() => {}), scheduler.wait(STUCK_MS)]);
  gates[1]?.();
  const outcomes = await Promise.allSettled(running);
  expect(outcomes.map((outcome) => outcome.status)).toEqual(['fulfilled', 'fulfilled']);
}

describe.each(['collector', 'uploader'] as const)(
  'an upload beside the collector of its file, the %s first',
  (first) => {
    test.each(COLLECTOR.flatMap((one) => UPLOADER.map((other) => [one, other] as const)))(
      'stopped %s, and the upload %s',
      async (collectorAt, uploaderAt) => {
        await leaveUnused();
        await race(collectorAt, uploaderAt, first);
        const row = await env.DB.prepare('SELECT unused_since, deleting_at FROM files WHERE digest = ?')
          .bind(digest)
          .first();
        expect(row).toEqual({ unused_since: null, deleting_at: null });
        expect(await (await env.BLOBS.get(`blobs/${hex(digest)}`))?.bytes()).toEqual(file);
        expect((await edge('GET', '/v1/adapters/tumour%401/file', { key: world.key })).status).toBe(200);
        await keepHouse(realPorts());
        expect(await (await env.BLOBS.get(`blobs/${hex(digest)}`))?.bytes()).toEqual(file);
        expect((await env.DB.prepare('SELECT * FROM file_holds').all()).results).toEqual([]);
      },
    );
  },
);

test('an upload that is refused beside the collector leaves nothing', async () => {
  for (const at of COLLECTOR) {
    await leaveUnused();
    const collector = stoppingAt(at, realPorts());
    const collecting = keepHouse(collector.ports);
    await collector.reached;
    const body = new Blob([file.slice(0, -1)]).stream();
    const refused = uploadVersion(
      realPorts(),
      OPERATOR,
      { tenant: 'acme', name: 'tumour' },
      {
        body,
        size: file.byteLength,
        digest,
        fromCaller: true,
      },
    );
    const outcome = expect(refused).rejects.toThrow(/ended after/);
    await scheduler.wait(STUCK_MS);
    collector.go();
    await Promise.all([collecting, outcome]);
    await keepHouse(realPorts());
    expect(await env.BLOBS.head(`blobs/${hex(digest)}`)).toBeNull();
    expect(await env.DB.prepare('SELECT * FROM files WHERE digest = ?').bind(digest).first()).toBeNull();
  }
});
