import { fork } from 'node:child_process';
import { once } from 'node:events';
import { networkEnvironment } from '../../gpu-runner/inference/network-environment.ts';
import type { NetworkMeasure } from './network-program.ts';

/** Measures in a process of its own, whose environment is that of the runner's process for the network. */
export async function inNetworkProcess(measure: NetworkMeasure): Promise<readonly { within: boolean }[]> {
  const program = fork(new URL('./network-program.ts', import.meta.url), [measure], {
    env: networkEnvironment(process.env),
    serialization: 'advanced',
  });
  const ended = once(program, 'exit').then(([code]) => {
    throw new Error(`${measure} ended with ${code} before it had measured`);
  });
  ended.catch(() => {});
  const [found] = await Promise.race([once(program, 'message'), ended]);
  return found;
}
