import { z } from 'zod';
import type { Quota } from './store/quota-store.ts';

const secret = z.string().min(16, 'expected a secret of 16 characters or more');

/** Texts separated by commas. */
const listSchema = z.string().transform((list) =>
  list
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== ''),
);
/** A whole number as a var holds it. */
const count = (least: number) =>
  z.coerce
    .string()
    .regex(/^[0-9]{1,15}$/, 'expected a whole number')
    .transform(Number)
    .refine((value) => value >= least, `expected ${least} or more`);

const settingsSchema = z.object({
  // Chosen by the operator, who may type it.
  ADMIN_KEY: z.string().min(1),
  KEY_PEPPER: secret,
  KEY_PEPPER_PREVIOUS: secret.optional(),
  GRANT_SECRET: secret,
  RUNNER_TOKEN: secret,
  GPU_RUNNER_URLS: listSchema
    .pipe(z.array(z.url({ protocol: /^https?$/ })).min(1))
    // One spelling for each, by which runners are told apart.
    .transform((urls) => [...new Set(urls.map((url) => new URL(url).origin))]),
  CORS_ORIGINS: listSchema,
  PUBLIC_ADAPTERS: z.enum(['true', 'false']),
  QUOTA_STORED_BYTES: count(0),
  QUOTA_WAITING_JOBS: count(0),
  QUOTA_SEGMENTATIONS_AT_ONCE: count(0),
  QUOTA_REQUESTS_PER_MINUTE: count(1),
});

export interface Settings {
  readonly adminKey: string;
  readonly keyPepper: string;
  /** Keys made under it still work, until each has been used once more. */
  readonly previousKeyPepper: string | null;
  readonly grantSecret: string;
  readonly runnerToken: string;
  /** Each once. */
  readonly runnerUrls: readonly string[];
  /** Whether an adapter may be granted to everyone. */
  readonly publicAdapters: boolean;
  readonly corsOrigins: readonly string[];
  /** Of tenants without numbers of their own. */
  readonly quota: Quota;
}

/** The Worker's vars and secrets, checked: with one missing nothing is served. */
export function readSettings(env: unknown): Settings {
  const parsed = settingsSchema.safeParse(env);
  if (!parsed.success) throw new Error(`the Worker's settings: ${z.prettifyError(parsed.error)}`);
  const { ADMIN_KEY, KEY_PEPPER, KEY_PEPPER_PREVIOUS, GRANT_SECRET, RUNNER_TOKEN } = parsed.data;
  const { PUBLIC_ADAPTERS, GPU_RUNNER_URLS, CORS_ORIGINS } = parsed.data;
  return {
    adminKey: ADMIN_KEY,
    keyPepper: KEY_PEPPER,
    previousKeyPepper: KEY_PEPPER_PREVIOUS ?? null,
    grantSecret: GRANT_SECRET,
    runnerToken: RUNNER_TOKEN,
    runnerUrls: GPU_RUNNER_URLS,
    publicAdapters: PUBLIC_ADAPTERS === 'true',
    corsOrigins: CORS_ORIGINS,
    quota: {
      storedBytes: parsed.data.QUOTA_STORED_BYTES,
      waitingJobs: parsed.data.QUOTA_WAITING_JOBS,
      segmentationsAtOnce: parsed.data.QUOTA_SEGMENTATIONS_AT_ONCE,
      requestsPerMinute: parsed.data.QUOTA_REQUESTS_PER_MINUTE,
    },
  };
}
