import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

export interface StubProcess {
  readonly url: string;
  close(): Promise<void>;
}

/** A stub runner in a process of its own, so that it does not share a thread with whoever calls it. */
export async function startStubProcess(answers: 'small' | 'echo'): Promise<StubProcess> {
  const child = fork(fileURLToPath(new URL('stub-program.ts', import.meta.url)), [answers]);
  const [url]: unknown[] = await once(child, 'message');
  return {
    url: String(url),
    async close() {
      child.disconnect();
      await once(child, 'exit');
    },
  };
}
