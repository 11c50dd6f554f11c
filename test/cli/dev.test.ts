import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { freePorts } from '../../cli/dev/ports.ts';
import { PROJECT_ROOT } from '../../cli/root.ts';

const START_MOST_MS = 110_000;

interface Process {
  readonly pid: number;
  readonly parent: number;
  readonly command: string;
}

function processes(): Process[] {
  const lines = execFileSync('ps', ['-eo', 'pid=,ppid=,args='], { encoding: 'utf8' }).trim().split('\n');
  return lines.map((line) => {
    const [, pid = '', parent = '', command = ''] = /^\s*(\d+)\s+(\d+)\s+(.*)$/.exec(line) ?? [];
    return { pid: Number(pid), parent: Number(parent), command };
  });
}

/** Every process below one, as a stranger would see them. */
function descendants(root: number): Process[] {
  const all = processes();
  const below = (pid: number): Process[] =>
    all.filter(({ parent }) => parent === pid).flatMap((child) => [child, ...below(child.pid)]);
  return below(root);
}

function alive(ones: readonly Process[]): string[] {
  const now = new Set(processes().map(({ pid, command }) => `${pid} ${command}`));
  return ones.map(({ pid, command }) => `${pid} ${command}`).filter((one) => now.has(one));
}

let state: string;
let child: ChildProcess | undefined;
let output: string[];
let port: number;
let runnerPort: number;
beforeEach(async () => {
  state = await mkdtemp(join(tmpdir(), 'pdora-dev-'));
  [port = 0, runnerPort = 0] = await freePorts(2);
  output = [];
});
afterEach(async () => {
  const left = child?.pid === undefined ? [] : descendants(child.pid);
  for (const { pid } of left) process.kill(pid, 'SIGKILL');
  child?.kill('SIGKILL');
  await rm(state, { recursive: true, force: true });
});

function npmRunDev(env: NodeJS.ProcessEnv = {}): ChildProcess {
  const { PDORA_ADMIN_KEY: _admin, ...inherited } = process.env;
  const settings = { PDORA_PORT: String(port), PDORA_RUNNER_PORT: String(runnerPort), PDORA_STATE: state };
  const started = spawn('npm', ['run', 'dev'], {
    cwd: PROJECT_ROOT,
    env: { ...inherited, ...settings, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  for (const stream of [started.stdout, started.stderr]) {
    createInterface({ input: stream }).on('line', (line) => output.push(line));
  }
  child = started;
  return started;
}

async function ready(): Promise<void> {
  const until = performance.now() + START_MOST_MS;
  while (!output.some((line) => line.startsWith('ready: '))) {
    if (performance.now() > until || child?.exitCode !== null) throw new Error(output.join('\n'));
    await sleep(50);
  }
}

async function health(): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null))?.status ?? 0;
}

function runnersOf(pid: number | undefined): number[] {
  return descendants(pid ?? -1)
    .filter(({ command }) => command.includes('gpu-runner/main.ts'))
    .map((runner) => runner.pid);
}

function runnerOf(pid: number | undefined): number | undefined {
  return runnersOf(pid)[0];
}

async function runners(): Promise<unknown> {
  const reply = await fetch(`http://127.0.0.1:${port}/healthz`);
  return z.object({ runners: z.unknown() }).parse(await reply.json()).runners;
}

describe('npm run dev', () => {
  it('serves, starts a killed runner again within two seconds, and leaves no process behind', async () => {
    const npm = npmRunDev();
    await ready();
    expect(await health()).toBe(200);
    expect(output.find((line) => line.startsWith('ready: '))).toContain(`http://127.0.0.1:${port}`);

    const first = runnerOf(npm.pid);
    if (first === undefined) throw new Error('no runner');
    process.kill(first, 'SIGKILL');
    const again = async (): Promise<boolean> => ![undefined, first].includes(runnerOf(npm.pid));
    await expect.poll(again, { timeout: 2000, interval: 50 }).toBe(true);
    await expect.poll(health, { timeout: 30_000 }).toBe(200);

    const all = descendants(npm.pid ?? -1);
    expect(all.some(({ command }) => command.includes('workerd'))).toBe(true);
    npm.kill('SIGINT');
    await once(npm, 'close');
    await expect.poll(() => alive(all), { timeout: 15_000 }).toEqual([]);
  }, 180_000);

  it('starts as many runners as it is told to, each with its own port and cache, and each again where it is killed', async () => {
    const npm = npmRunDev({ PDORA_RUNNERS: '2', PDORA_THREADS: '1' });
    await ready();
    expect(await runners()).toEqual({ ready: 2, total: 2 });
    for (const at of [runnerPort, runnerPort + 1]) {
      expect((await fetch(`http://127.0.0.1:${at}/readyz`)).status).toBe(200);
    }
    expect((await readdir(state)).filter((name) => name.startsWith('runner-cache'))).toHaveLength(2);

    const [first, second] = runnersOf(npm.pid);
    process.kill(second ?? 0, 'SIGKILL');
    await expect.poll(runners, { timeout: 5_000, interval: 20 }).toEqual({ ready: 1, total: 2 });
    expect(await health()).toBe(200);
    await expect.poll(runners, { timeout: 30_000 }).toEqual({ ready: 2, total: 2 });
    expect(runnersOf(npm.pid)).toContain(first);
    const all = descendants(npm.pid ?? -1);
    npm.kill('SIGINT');
    await once(npm, 'close');
    await expect.poll(() => alive(all), { timeout: 15_000 }).toEqual([]);
  }, 180_000);

  it('leaves no process behind when npm itself is killed', async () => {
    const npm = npmRunDev();
    await ready();
    const all = descendants(npm.pid ?? -1);
    npm.kill('SIGKILL');
    await expect.poll(() => alive(all), { timeout: 20_000, interval: 200 }).toEqual([]);
  }, 180_000);

  it('keeps its secrets for the owner alone and shows the admin key once', async () => {
    const npm = npmRunDev();
    await ready();
    const file = join(state, 'secrets.json');
    expect((await stat(file)).mode & 0o777).toBe(0o600);
    const { adminKey } = z.object({ adminKey: z.string() }).parse(JSON.parse(await readFile(file, 'utf8')));
    expect(output.filter((line) => line.includes(adminKey))).toHaveLength(1);
    const tenants = `http://127.0.0.1:${port}/v1/tenants`;
    const { status } = await fetch(tenants, { headers: { authorization: `Bearer ${adminKey}` } });
    expect(status).toBe(200);
    npm.kill('SIGTERM');
    await once(npm, 'close');

    output = [];
    npmRunDev();
    await ready();
    expect(output.filter((line) => line.includes(adminKey))).toEqual([]);
    const again = await fetch(tenants, { headers: { authorization: `Bearer ${adminKey}` } });
    expect(again.status).toBe(200);
  }, 300_000);

  it('says which setting to change where a port is taken', async () => {
    const taken = createServer();
    await once(taken.listen(port, '127.0.0.1'), 'listening');
    const npm = npmRunDev();
    await once(npm, 'close');
    await once(taken.close(), 'close');
    expect(npm.exitCode).toBe(1);
    expect(output).toContain(`pdora: port_in_use: port ${port} is in use: choose another with PDORA_PORT`);
  });

  it('refuses wrong settings by name', async () => {
    const npm = npmRunDev({ PDORA_PORT: 'eighty' });
    await once(npm, 'close');
    expect(npm.exitCode).toBe(1);
    expect(output.some((line) => line.startsWith('pdora: settings: PDORA_PORT'))).toBe(true);
  });
});
