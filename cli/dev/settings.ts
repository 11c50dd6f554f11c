import { resolve } from 'node:path';
import { CliError } from '../failure.ts';
import { projectPath } from '../root.ts';

export interface DevSettings {
  readonly port: number;
  readonly runnerPort: number;
  /** Folder of everything that lasts: the edge's D1 and R2, the runner's cache, the secrets. */
  readonly state: string;
  readonly base: string;
  /** Null: one is made and kept in the state folder. */
  readonly adminKey: string | null;
}

/** Settings of `npm run dev` from the environment; an empty variable counts as not set. */
export function readDevSettings(env: NodeJS.ProcessEnv): DevSettings {
  const settings = {
    port: portOf(env, 'PDORA_PORT', 8787),
    runnerPort: portOf(env, 'PDORA_RUNNER_PORT', 8788),
    state: resolve(env['PDORA_STATE'] || projectPath('.pdora')),
    base: resolve(env['PDORA_BASE'] || projectPath('models', 'phantom', 'base.safetensors')),
    adminKey: env['PDORA_ADMIN_KEY'] || null,
  };
  if (settings.port === settings.runnerPort) {
    throw new CliError('settings', `PDORA_PORT and PDORA_RUNNER_PORT are both ${settings.port}`);
  }
  return settings;
}

function portOf(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  const text = env[name] || String(otherwise);
  const port = Number(text);
  if (/^\d+$/.test(text) && port >= 1 && port <= 65_535) return port;
  throw new CliError('settings', `${name} is no port from 1 to 65535: ${text}`);
}
