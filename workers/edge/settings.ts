import { z } from 'zod';
import type { Quota } from './store/quota-store.ts';

const secret = z.string().min(16, 'expected a secret of 16 characters or more');

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
  GRANT_SECRET: secret,
  RUNNER_TOKEN: secret,
  GPU_RUNNER_URL: z.url({ protocol: /^https?$/ }),
  CORS_ORIGINS: z.string().transform((list) =>
    list
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
  ),
  QUOTA_STORED_BYTES: count(0),
  QUOTA_WAITING_JOBS: count(0),
  QUOTA_SEGMENTATIONS_AT_ONCE: count(0),
  QUOTA_REQUESTS_PER_MINUTE: count(1),
});

export interface Settings {
  readonly adminKey: string;
  readonly keyPepper: string;
  readonly grantSecret: string;
  readonly runnerToken: string;
  readonly runnerUrl: string;
  readonly corsOrigins: readonly string[];
  /** Of tenants without numbers of their own. */
  readonly quota: Quota;
}

/** The Worker's vars and secrets, checked: with one missing nothing is served. */
export function readSettings(env: unknown): Settings {
  const parsed = settingsSchema.safeParse(env);
  if (!parsed.success) throw new Error(`the Worker's settings: ${z.prettifyError(parsed.error)}`);
  const { ADMIN_KEY, KEY_PEPPER, GRANT_SECRET, RUNNER_TOKEN, GPU_RUNNER_URL, CORS_ORIGINS } = parsed.data;
  return {
    adminKey: ADMIN_KEY,
    keyPepper: KEY_PEPPER,
    grantSecret: GRANT_SECRET,
    runnerToken: RUNNER_TOKEN,
    runnerUrl: GPU_RUNNER_URL,
    corsOrigins: CORS_ORIGINS,
    quota: {
      storedBytes: parsed.data.QUOTA_STORED_BYTES,
      waitingJobs: parsed.data.QUOTA_WAITING_JOBS,
      segmentationsAtOnce: parsed.data.QUOTA_SEGMENTATIONS_AT_ONCE,
      requestsPerMinute: parsed.data.QUOTA_REQUESTS_PER_MINUTE,
    },
  };
}
