import { type Engine, openEngine } from '../../gpu-runner/local.ts';
import { spinner } from '../progress.ts';

/** Does some work with a base, its engine open for as long as that takes. */
export async function withEngine<T>(basePath: string, what: string, work: (engine: Engine) => Promise<T>): Promise<T> {
  const turning = spinner(what);
  try {
    const engine = await openEngine({ basePath });
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  } finally {
    turning.stop();
  }
}
