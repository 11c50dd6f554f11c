import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Provider } from '../../gpu-runner/inference/session-types.ts';
import { pythonCommand } from './python.ts';

export interface Monai {
  segment(image: string, output: string): Promise<void>;
  close(): void;
}

/** A process that holds the base's model in PyTorch and segments files with MONAI, one at a time. */
export async function startMonai(
  base: string,
  threads: number,
  { device, autocast }: { readonly device: Provider; readonly autocast: boolean },
): Promise<Monai> {
  const { file, words, env } = pythonCommand('monai_segment.py', [
    base,
    '--threads',
    threads,
    '--device',
    device,
    ...(autocast ? ['--autocast'] : []),
  ]);
  const child = spawn(file, words, { env, stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const answered = async () => {
    const { done } = await lines.next();
    if (done === true) throw new Error('MONAI ended without an answer');
  };
  await answered();
  return {
    async segment(image, output) {
      child.stdin.write(`${image}\t${output}\n`);
      await answered();
    },
    close: () => child.stdin.end(),
  };
}
