import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { CliError } from '../failure.ts';
import { writeAtomically } from '../output.ts';

const secretsSchema = z.object({
  adminKey: z.string().min(1),
  keyPepper: z.string().min(16),
  grantSecret: z.string().min(16),
  runnerToken: z.string().min(16),
});

export type DevSecrets = z.infer<typeof secretsSchema>;

/** The secrets of a state folder and whether its admin key was made just now, for it is shown that once. */
export interface KeptSecrets {
  readonly secrets: DevSecrets;
  readonly file: string;
  readonly adminKeyIsNew: boolean;
}

/**
 * Secrets made at the first start and kept in the state folder, for its owner's eyes alone (0600). Without the pepper
 * every key in the folder's database would stop working, so they last as long as the folder.
 */
export async function keepSecrets(state: string, adminKey: string | null): Promise<KeptSecrets> {
  await mkdir(state, { recursive: true, mode: 0o700 });
  const file = join(state, 'secrets.json');
  const text = await readFile(file, 'utf8').catch(() => null);
  const kept = text === null ? null : parseKept(text, file);
  const secrets: DevSecrets = kept ?? {
    adminKey: `admin-${made()}`,
    keyPepper: made(),
    grantSecret: made(),
    runnerToken: made(),
  };
  if (kept === null) await writeAtomically(file, new TextEncoder().encode(`${JSON.stringify(secrets)}\n`), 0o600);
  else await chmod(file, 0o600);
  if (adminKey !== null) return { secrets: { ...secrets, adminKey }, file, adminKeyIsNew: false };
  return { secrets, file, adminKeyIsNew: kept === null };
}

function parseKept(text: string, file: string): DevSecrets {
  try {
    return secretsSchema.parse(JSON.parse(text));
  } catch {
    throw new CliError('settings', `${file} does not hold the secrets it should; move it away to have new ones made`);
  }
}

function made(): string {
  return randomBytes(32).toString('base64url');
}
