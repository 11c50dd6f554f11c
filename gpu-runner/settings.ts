import { tmpdir, totalmem } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { checkWindow } from '../schemas/architecture.ts';

const MIB = 2 ** 20;

/** `64x64x64,96x96x96` */
const windowsSchema = z.string().transform((text, context) =>
  text.split(',').map((part): [number, number, number] => {
    const [i = Number.NaN, j = Number.NaN, k = Number.NaN, ...more] = part.trim().split('x').map(Number);
    const fault = more.length > 0 ? 'expected three sides' : checkWindow([i, j, k]);
    if (fault !== null) context.addIssue({ code: 'custom', message: `${part}: ${fault}` });
    return [i, j, k];
  }),
);

const providersSchema = z
  .string()
  .transform((text) => text.split(',').map((name) => name.trim()))
  .pipe(z.array(z.enum(['cuda', 'cpu'])).min(1));

const megabytes = z.coerce
  .number()
  .int()
  .min(1)
  .transform((value) => value * MIB);

const settingsSchema = z.object({
  PDORA_RUNNER_HOST: z.string().min(1).default('127.0.0.1'),
  PDORA_RUNNER_PORT: z.coerce.number().int().min(0).max(65_535).default(8788),
  PDORA_RUNNER_TOKEN: z.string().min(16),
  PDORA_EDGE_URL: z.url().optional(),
  PDORA_BASE: z.string().min(1).optional(),
  PDORA_CACHE_DIR: z.string().min(1).default(join(tmpdir(), 'pdora-cache')),
  PDORA_CACHE_MB: megabytes.default(8192 * MIB),
  PDORA_ADAPTER_CACHE_MB: megabytes.default(1024 * MIB),
  PDORA_PROVIDERS: providersSchema.default(['cuda', 'cpu']),
  PDORA_THREADS: z.coerce.number().int().min(0).max(1024).default(0),
  PDORA_WINDOWS: windowsSchema.optional(),
  PDORA_QUEUE_LIMIT: z.coerce.number().int().min(1).max(1024).default(16),
  PDORA_MEMORY_MB: megabytes.optional(),
  OTEL_EXPORTER_OTLP_ENDPOINT: z.url({ protocol: /^https?$/ }).optional(),
  PDORA_LOG_LEVEL: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'silent']).default('info'),
});

export interface Settings {
  readonly host: string;
  /** 0 takes any free port. */
  readonly port: number;
  /** What the edge proves itself with, and this runner to the edge. */
  readonly token: string;
  /** Where files are fetched; without it only the base of `basePath` runs. */
  readonly edgeUrl: string | null;
  readonly basePath: string | null;
  readonly cacheDirectory: string;
  /** Files of bases and adapters kept on disk. */
  readonly diskCacheBytes: number;
  /** Compiled adapters kept ready. */
  readonly adapterCacheBytes: number;
  /** Tried in order. */
  readonly providers: readonly ('cuda' | 'cpu')[];
  /** Threads of the network; 0 lets onnxruntime decide. */
  readonly threads: number;
  /** Windows that may run; null allows any legal one. */
  readonly windows: readonly (readonly [number, number, number])[] | null;
  /** Requests that wait or run at a time; one tenant's are at most half of them. */
  readonly queueLimit: number;
  /** For the volumes of all runs together, and as much again for the network's windows. */
  readonly memoryBytes: number;
  /** Where spans are sent by OTLP/HTTP; null sends none. */
  readonly otlpEndpoint: string | null;
  readonly logLevel: string;
}

/** Settings from the environment. Throws an error that names every variable that is wrong, and no value. */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): Settings {
  // An empty variable is one that was not set: that is how compose files and shells leave them out.
  const given = Object.fromEntries(Object.entries(environment).filter(([, value]) => value !== ''));
  const parsed = settingsSchema.safeParse(given);
  if (!parsed.success) {
    const faults = parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
    throw new Error(`The runner's settings are wrong. ${faults.join('; ')}`);
  }
  const { data } = parsed;
  return {
    host: data.PDORA_RUNNER_HOST,
    port: data.PDORA_RUNNER_PORT,
    token: data.PDORA_RUNNER_TOKEN,
    edgeUrl: data.PDORA_EDGE_URL ?? null,
    basePath: data.PDORA_BASE ?? null,
    cacheDirectory: data.PDORA_CACHE_DIR,
    diskCacheBytes: data.PDORA_CACHE_MB,
    adapterCacheBytes: data.PDORA_ADAPTER_CACHE_MB,
    providers: data.PDORA_PROVIDERS,
    threads: data.PDORA_THREADS,
    windows: data.PDORA_WINDOWS ?? null,
    queueLimit: data.PDORA_QUEUE_LIMIT,
    memoryBytes: data.PDORA_MEMORY_MB ?? defaultMemoryBytes(),
    otlpEndpoint: data.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
    logLevel: data.PDORA_LOG_LEVEL,
  };
}

/** Half of what this machine, or the container around this process, has. */
export function defaultMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  const limit = constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
  return Math.floor(limit / 2);
}
