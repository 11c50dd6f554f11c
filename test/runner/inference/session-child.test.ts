import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as pause } from 'node:timers/promises';
import { expect, onTestFinished, test } from 'vitest';
import { ServiceError } from '../../../schemas/errors.ts';
import { smallHost, smallRun } from '../../support/session-host.ts';

function alive(pid: number | undefined): boolean {
  try {
    return process.kill(pid ?? 0, 0);
  } catch {
    return false;
  }
}

async function until(condition: () => boolean): Promise<void> {
  for (let waited = 0; !condition(); waited += 20) {
    if (waited > 20_000) throw new Error('waited in vain');
    await pause(20);
  }
}

test('a killed child loses the runs it had; runs that waited and new ones are served by the next child', async () => {
  const { host } = await smallHost({ maxActive: 2 });
  const before = await host.run(smallRun(2));
  const first = host.childPid;
  const begun = [0, 0];
  const kill = () => void (begun.every((windows) => windows > 0) && process.kill(first ?? 0, 'SIGKILL'));
  const killed = [0, 1].map((n) =>
    host.run(smallRun(500), {
      tenant: String(n),
      onProgress: (done) => {
        begun[n] = done;
        kill();
      },
    }),
  );
  const waiting = host.run(smallRun(2), { tenant: 'waiting' });
  const lost = { reason: { code: 'runner_unavailable' } };
  expect(await Promise.allSettled(killed)).toMatchObject([lost, lost]);
  expect((await waiting).decided).toEqual(before.decided);
  expect(host.health()).toBe('ready');
  expect(host.childPid).not.toBe(first);
  expect(await host.ready()).toEqual({ provider: 'cpu' });
  expect((await host.run(smallRun(2))).decided).toEqual(before.decided);
});

test('a child that dies idle is started again', async () => {
  const { host, lines } = await smallHost();
  await host.ready();
  const first = host.childPid;
  process.kill(first ?? 0, 'SIGKILL');
  await until(() => host.health() === 'starting');
  await host.ready();
  expect(host.childPid).not.toBe(first);
  expect(lines.filter(({ level }) => level === 'warn')).toMatchObject([{ fields: { how: 'SIGKILL' } }]);
});

test('a child that falls silent under a run is ended', async () => {
  const { host } = await smallHost({ stallSeconds: 3 });
  await host.ready();
  const first = host.childPid;
  const stuck = host.run(smallRun(200), { onProgress: () => process.kill(first ?? 0, 'SIGSTOP') });
  await expect(stuck).rejects.toMatchObject({ code: 'runner_unavailable' });
  expect(await host.ready()).toEqual({ provider: 'cpu' });
  expect(host.childPid).not.toBe(first);
});

test('the child leaves a terminal’s signals to its parent', async () => {
  const { host } = await smallHost();
  await host.ready();
  const first = host.childPid;
  const result = await host.run(smallRun(6), {
    onProgress: (done) => {
      if (done === 1) for (const signal of ['SIGINT', 'SIGTERM']) process.kill(first ?? 0, signal);
    },
  });
  expect(result.windows).toBe(6);
  expect(host.childPid).toBe(first);
});

test('a signal’s own reason is what the run rejects with', async () => {
  const { host } = await smallHost();
  const abort = new AbortController();
  const late = host.run(smallRun(200), {
    signal: abort.signal,
    onProgress: () => abort.abort(new ServiceError('deadline_exceeded', 'Too late.')),
  });
  await expect(late).rejects.toMatchObject({ code: 'deadline_exceeded' });
});

test('a provider that does not run here is passed over, and one line says which one it got', async () => {
  const { host, lines } = await smallHost({ providers: ['cuda', 'cpu'] });
  const { provider } = await host.ready();
  const said = lines.filter(({ message }) => message.startsWith('the network runs on'));
  expect(said).toMatchObject([{ level: 'info', message: `the network runs on ${provider}`, fields: { provider } }]);
  expect(Object.values(said[0]?.fields ?? {})).toContainEqual(
    provider === 'cuda' ? [] : [expect.stringMatching(/^cuda: ./)],
  );
});

test('where no child can be started, runs are refused instead of waiting for ever', async () => {
  const { host } = await smallHost({ providers: [] });
  const waiting = host.run(smallRun(1));
  await expect(host.ready()).rejects.toMatchObject({ code: 'runner_unavailable' });
  await expect(waiting).rejects.toMatchObject({ code: 'runner_unavailable' });
  expect(host.health()).toBe('starting');
});

test('a child whose parent is killed in the middle of a run ends and leaves no files', async () => {
  const script = new URL('../../support/host-process.ts', import.meta.url).pathname;
  const folder = mkdtempSync(join(tmpdir(), 'session-test-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const env = { ...process.env, TMPDIR: folder };
  const parent = spawn(process.execPath, [script], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  onTestFinished(() => void parent.kill('SIGKILL'));
  const [line] = await once(createInterface(parent.stdout), 'line');
  const child = Number(line);
  expect(alive(child)).toBe(true);
  // Its weights, and nothing that onnxruntime's telemetry would write.
  expect(readdirSync(folder)).toEqual([expect.stringMatching(/^pdora-weights-/)]);
  parent.kill('SIGKILL');
  await until(() => !alive(child));
  expect(readdirSync(folder)).toEqual([]);
});
