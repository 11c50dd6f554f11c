import { expect, test } from 'vitest';
import type { NetworkSession, SessionSpec } from '../../../gpu-runner/inference/onnx-session.ts';
import { SessionPool } from '../../../gpu-runner/inference/session-pool.ts';
import { windowBytes } from '../../../gpu-runner/inference/window-memory.ts';
import type { Vec3 } from '../../../gpu-runner/volume/volume.ts';
import { SMALL } from '../../support/network.ts';

const base = { digest: 'sha256:a', architecture: SMALL, weightsPath: 'a.weights' };
const cube = (side: number): Vec3 => [side, side, side];

function recordingPool(max: number, memoryBytes = Number.POSITIVE_INFINITY) {
  const log: string[] = [];
  const open = async ({ window, kind, weightsPath }: SessionSpec): Promise<NetworkSession> => {
    const name = `${weightsPath} ${window[0]} ${kind}`;
    log.push(`open ${name}`);
    const release = async () => void log.push(`release ${name}`);
    return { window, bind: () => async (image) => image, release };
  };
  return { log, pool: new SessionPool({ max, memoryBytes }, open) };
}

test('a session is known by base, window and kind', async () => {
  const { log, pool } = recordingPool(8);
  const first = await pool.get(base, cube(64), 'head');
  expect(await pool.get(base, cube(64), 'head')).toBe(first);
  await pool.get(base, cube(64), 'decoder');
  await pool.get(base, cube(96), 'head');
  await pool.get({ ...base, digest: 'sha256:b', weightsPath: 'b.weights' }, cube(64), 'head');
  expect(log).toEqual([
    'open a.weights 64 head',
    'open a.weights 64 decoder',
    'open a.weights 96 head',
    'open b.weights 64 head',
  ]);
});

test('the least recently used session is released before a new one is opened', async () => {
  const { log, pool } = recordingPool(2);
  await pool.get(base, cube(64), 'head');
  await pool.get(base, cube(96), 'head');
  await pool.get(base, cube(64), 'head');
  await pool.get(base, cube(128), 'head');
  expect(log.slice(2)).toEqual(['release a.weights 96 head', 'open a.weights 128 head']);
});

test('sessions that together keep more memory than there is are released, the least recently used first', async () => {
  const memoryBytes = windowBytes(SMALL, cube(128)) + windowBytes(SMALL, cube(64));
  const { log, pool } = recordingPool(8, memoryBytes);
  await pool.get(base, cube(96), 'head');
  await pool.get(base, cube(64), 'head');
  await pool.get(base, cube(128), 'head');
  await pool.get(base, cube(64), 'head');
  await pool.get(base, cube(64), 'decoder');
  expect(log.slice(2)).toEqual([
    'release a.weights 96 head',
    'open a.weights 128 head',
    'release a.weights 128 head',
    'open a.weights 64 decoder',
  ]);
});
