import { unstable_startWorker } from 'wrangler';
import { buildConsole } from '../../../cli/dev/build-console.ts';
import { migrate } from '../../../cli/dev/migrate.ts';
import { makeFolder } from './folder.ts';

/** For the tests alone. */
export const SECRETS = {
  ADMIN_KEY: 'admin-key-of-the-system-tests',
  KEY_PEPPER: 'pepper-of-the-system-tests',
  GRANT_SECRET: 'grant-secret-of-the-system-tests',
  RUNNER_TOKEN: 'runner-token-of-the-system-tests',
};

export interface Call {
  /** The admin key where none is given, no key where it is null. */
  readonly key?: string | null;
  readonly json?: unknown;
  readonly body?: Uint8Array | FormData | ReadableStream<Uint8Array>;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

export interface Edge {
  readonly url: URL;
  /** Where the inspector of its isolate listens, if it was asked for. */
  readonly inspector: URL | undefined;
  /** The folder of its database and its bucket. */
  readonly state: string;
  /** `path` begins with a slash. A body that is a stream needs its Content-Length among the headers. */
  call(method: string, path: string, call?: Call): Promise<Response>;
  /** Ends the Worker with all that it has under way, and starts it on the same address with what it had stored. */
  restart(): Promise<void>;
  /** Fires the cron that runs every minute, which nothing does on one's own machine. */
  cron(): Promise<void>;
  close(): Promise<void>;
}

/**
 * The Worker as it is built, in workerd on a free port, with empty D1 and R2. It speaks to runners over its own
 * connections, which wrangler's test harness, passing them through this process, would not let it. `prepare` may fill the
 * folder of its state after the migrations.
 */
export async function startEdge(
  runnerUrls: readonly string[],
  prepare: (state: string) => Promise<void> = async () => {},
  { inspect = false }: { readonly inspect?: boolean } = {},
): Promise<Edge> {
  const folder = await makeFolder();
  const environment = { ...process.env, CLOUDFLARE_CF_FETCH_ENABLED: 'false', WRANGLER_SEND_METRICS: 'false' };
  Object.assign(process.env, environment);
  await Promise.all([migrate(folder.path, environment), buildConsole()]);
  await prepare(folder.path);
  const bindings = { ...SECRETS, GPU_RUNNER_URLS: runnerUrls.join(',') };
  const start = async (port: number) => {
    const started = await unstable_startWorker({
      config: 'wrangler.toml',
      envFiles: ['/dev/null'],
      bindings: Object.fromEntries(
        Object.entries(bindings).map(([name, value]) => [name, { type: 'secret_text', value }]),
      ),
      dev: {
        server: { hostname: '127.0.0.1', port },
        persist: folder.path,
        inspector: inspect ? { hostname: '127.0.0.1', port: 0 } : false,
        watch: false,
        logLevel: 'none',
      },
    });
    await started.ready;
    return started;
  };
  let worker = await start(0);
  const url = await worker.url;
  return {
    url,
    inspector: inspect ? await worker.inspectorUrl : undefined,
    state: folder.path,
    call: (method, path, call = {}) => fetch(new URL(path, url), requestOf(method, call)),
    async restart() {
      await worker.dispose();
      worker = await start(Number(url.port));
    },
    async cron() {
      const reply = await fetch(new URL('/cdn-cgi/handler/scheduled?cron=*+*+*+*+*', url));
      await reply.body?.cancel();
    },
    async close() {
      await worker.dispose();
      await folder.remove();
    },
  };
}

function requestOf(method: string, { key = SECRETS.ADMIN_KEY, json, body, headers, signal }: Call): RequestInit {
  return {
    method,
    headers: {
      ...(key === null ? {} : { authorization: `Bearer ${key}` }),
      ...(json === undefined ? {} : { 'content-type': 'application/json' }),
      ...headers,
    },
    body: json === undefined ? bodyOf(body) : JSON.stringify(json),
    signal: signal ?? null,
    ...(body instanceof ReadableStream ? { duplex: 'half' } : {}),
  };
}

function bodyOf(body: Call['body']): Uint8Array<ArrayBuffer> | FormData | ReadableStream<Uint8Array> | null {
  // Files read by Node lie in ordinary memory, which its types do not say.
  return body instanceof Uint8Array ? new Uint8Array(body) : (body ?? null);
}
