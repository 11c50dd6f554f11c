import { z } from 'zod';

const secret = z.string().min(16, 'expected a secret of 16 characters or more');

const settingsSchema = z.object({
  // Chosen by the operator, who may type it.
  ADMIN_KEY: z.string().min(1),
  KEY_PEPPER: secret,
  KEY_PEPPER_PREVIOUS: secret.optional(),
  GRANT_SECRET: secret,
  RUNNER_TOKEN: secret,
  PUBLIC_ADAPTERS: z.enum(['true', 'false']),
  GPU_RUNNER_URL: z.url({ protocol: /^https?$/ }),
  CORS_ORIGINS: z.string().transform((list) =>
    list
      .split(',')
      .map((origin) => origin.trim())
      .filter((origin) => origin !== ''),
  ),
});

export interface Settings {
  readonly adminKey: string;
  readonly keyPepper: string;
  /** Keys made under it still work, until each has been used once more. */
  readonly previousKeyPepper: string | null;
  readonly grantSecret: string;
  readonly runnerToken: string;
  /** Whether an adapter may be granted to everyone. */
  readonly publicAdapters: boolean;
  readonly runnerUrl: string;
  readonly corsOrigins: readonly string[];
}

/** The Worker's vars and secrets, checked: with one missing nothing is served. */
export function readSettings(env: unknown): Settings {
  const parsed = settingsSchema.safeParse(env);
  if (!parsed.success) throw new Error(`the Worker's settings: ${z.prettifyError(parsed.error)}`);
  const { ADMIN_KEY, KEY_PEPPER, KEY_PEPPER_PREVIOUS, GRANT_SECRET, RUNNER_TOKEN } = parsed.data;
  const { PUBLIC_ADAPTERS, GPU_RUNNER_URL, CORS_ORIGINS } = parsed.data;
  return {
    adminKey: ADMIN_KEY,
    keyPepper: KEY_PEPPER,
    previousKeyPepper: KEY_PEPPER_PREVIOUS ?? null,
    grantSecret: GRANT_SECRET,
    runnerToken: RUNNER_TOKEN,
    publicAdapters: PUBLIC_ADAPTERS === 'true',
    runnerUrl: GPU_RUNNER_URL,
    corsOrigins: CORS_ORIGINS,
  };
}
