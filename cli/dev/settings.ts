import { resolve } from 'node:path';
import { CliError } from '../failure.ts';
import { projectPath } from '../root.ts';

export interface DevSettings {
  readonly port: number;
  /** One for each runner. */
  readonly runnerPorts: readonly number[];
  /** Folder of everything that lasts: the edge's D1 and R2, the runners' caches, the secrets. */
  readonly state: string;
  readonly base: string;
  /** Null: one is made and kept in the state folder. */
  readonly adminKey: string | null;
}

const PORT_MAX = 65_535;
/** Each holds the network and works on every core, so that more are for trying out alone. */
const RUNNERS_MAX = 16;

/** Settings of `npm run dev` from the environment; an empty variable counts as not set. */
export function readDevSettings(env: NodeJS.ProcessEnv): DevSettings {
  const runnerPort = portOf(env, 'PDORA_RUNNER_PORT', 8788);
  const runners = numberOf(env, 'PDORA_RUNNERS', 1, RUNNERS_MAX, `no number from 1 to ${RUNNERS_MAX}`);
  const settings = {
    port: portOf(env, 'PDORA_PORT', 8787),
    runnerPorts: Array.from({ length: runners }, (_, n) => runnerPort + n),
    state: resolve(env['PDORA_STATE'] || projectPath('.pdora')),
    base: resolve(env['PDORA_BASE'] || projectPath('models', 'phantom', 'base.safetensors')),
    adminKey: env['PDORA_ADMIN_KEY'] || null,
  };
  if (settings.runnerPorts.includes(settings.port)) {
    const taken = runners === 1 ? 'are both' : `with PDORA_RUNNERS=${runners} both take`;
    throw new CliError('settings', `PDORA_PORT and PDORA_RUNNER_PORT ${taken} ${settings.port}`);
  }
  if (runnerPort + runners - 1 > PORT_MAX) {
    throw new CliError('settings', `PDORA_RUNNERS=${runners} from port ${runnerPort} on go beyond ${PORT_MAX}`);
  }
  return settings;
}

function portOf(env: NodeJS.ProcessEnv, name: string, otherwise: number): number {
  return numberOf(env, name, otherwise, PORT_MAX, `no port from 1 to ${PORT_MAX}`);
}

function numberOf(env: NodeJS.ProcessEnv, name: string, otherwise: number, most: number, fault: string): number {
  const text = env[name] || String(otherwise);
  const value = Number(text);
  if (/^\d+$/.test(text) && value >= 1 && value <= most) return value;
  throw new CliError('settings', `${name} is ${fault}: ${text}`);
}
