import { once } from 'node:events';
import { z } from 'zod';

const targetsSchema = z.tuple([z.object({ webSocketDebuggerUrl: z.string() })]);
const usageSchema = z.object({
  id: z.number(),
  result: z.object({ usedSize: z.number(), backingStorageSize: z.number() }),
});

/** https://developers.cloudflare.com/workers/platform/limits/#memory */
export const ISOLATE_MAX_MIB = 128;

const EVERY_MS = 20;
const MEBIBYTE = 2 ** 20;

/**
 * The most MiB that the Worker's own isolate holds while `work` runs: its heap and its buffers, which Cloudflare limits, and none of what stands in for R2 and D1 in the same process. Where that is more than the limit, garbage is collected before it counts, as V8 does when it runs short. `inspector` is where its inspector listens.
 */
export async function mostHeldDuring(inspector: URL, work: () => Promise<unknown>): Promise<number> {
  const targets = await (await fetch(new URL('/json', `http://${inspector.host}`))).json();
  const [{ webSocketDebuggerUrl }] = targetsSchema.parse(targets);
  // The inspector answers nobody without an origin.
  const socket = new WebSocket(webSocketDebuggerUrl, { headers: { origin: 'http://localhost' } });
  await once(socket, 'open');
  let most = 0;
  let id = 0;
  const send = (method: string) => socket.send(JSON.stringify({ id: ++id, method }));
  const ask = () => send('Runtime.getHeapUsage');
  const collected = new Set<number>();
  socket.addEventListener('message', ({ data }) => {
    const usage = usageSchema.safeParse(JSON.parse(String(data))).data;
    if (usage === undefined) return;
    const held = (usage.result.usedSize + usage.result.backingStorageSize) / MEBIBYTE;
    if (held <= ISOLATE_MAX_MIB || collected.has(usage.id)) {
      most = Math.max(most, held);
      return;
    }
    send('HeapProfiler.collectGarbage');
    ask();
    collected.add(id);
  });
  const asking = setInterval(ask, EVERY_MS);
  try {
    await work();
  } finally {
    clearInterval(asking);
    socket.close();
  }
  if (most === 0) throw new Error('the inspector told nothing');
  return most;
}
