import { appendFileSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { Command } from 'commander';
import { runDemo } from '../demo/demo.ts';
import { modelFile } from '../demo/tenants.ts';
import { watchNpm } from '../dev/parent.ts';
import { freePorts } from '../dev/ports.ts';
import { keepSecrets } from '../dev/secrets.ts';
import { type System, startSystem } from '../dev/system.ts';
import { CliError } from '../failure.ts';
import { whenInterrupted } from '../interrupt.ts';
import { print } from '../print.ts';
import { projectPath } from '../root.ts';

const LOG_LINES_SHOWN = 20;

/** `pdora demo`: the whole service on this machine, from nothing to label maps and back to nothing. */
export function addDemo(program: Command): void {
  program
    .command('demo')
    .description('start everything on free ports, segment for two tenants by adapter ID, end everything')
    .option('-o, --output <dir>', 'where label maps and pictures go', projectPath('demo-out'))
    .option('--summary <file>', 'the picture of all together (summary.png beside the rest)')
    .action(async (options: { output: string; summary?: string }) => {
      const output = resolve(options.output);
      const summary = resolve(options.summary ?? join(output, 'summary.png'));
      await mkdir(output, { recursive: true });
      const began = performance.now();
      await withSystem(async (system) => await runDemo(system.admin, output, summary));
      print(`done in ${((performance.now() - began) / 1000).toFixed(0)} s, everything ended`);
    });
}

/** Runs `use` against edge and runner in a folder of their own, and leaves nothing of them behind. */
async function withSystem(use: (system: System) => Promise<void>): Promise<void> {
  const state = await mkdtemp(join(tmpdir(), 'pdora-demo-'));
  const interrupted = new AbortController();
  const log = join(state, 'log');
  let system: System | undefined;
  const end = async (): Promise<void> => {
    interrupted.abort();
    await system?.stop();
    await rm(state, { recursive: true, force: true });
  };
  const notInterrupted = whenInterrupted(end);
  watchNpm(() => process.kill(process.pid, 'SIGTERM'));
  try {
    const [port = 0, runnerPort = 0] = await freePorts(2);
    const { secrets } = await keepSecrets(state, null);
    const began = performance.now();
    print('starting edge (workerd with D1 and R2) and runner (onnxruntime)');
    system = await startSystem({
      port,
      runnerPorts: [runnerPort],
      state,
      base: modelFile('base'),
      secrets,
      log: (line) => appendFileSync(log, `${line}\n`),
      signal: interrupted.signal,
    });
    print(
      `ready in ${((performance.now() - began) / 1000).toFixed(1)} s at ${system.url}, base ${system.baseDigest}\n`,
    );
    await use(system);
  } catch (error) {
    // A promise that was not held says all there is to say itself.
    const explained = error instanceof CliError && error.code === 'demo';
    if (!interrupted.signal.aborted && !explained) await showEnd(log);
    throw error;
  } finally {
    notInterrupted();
    await end();
  }
}

/** The last that edge and runner said, for a failure they may explain. */
async function showEnd(log: string): Promise<void> {
  const lines = (await readFile(log, 'utf8').catch(() => '')).trimEnd().split('\n');
  for (const line of lines.slice(-LOG_LINES_SHOWN)) process.stderr.write(`${line}\n`);
}
