import type { Ports } from '../../ports.ts';

/** A younger object may belong to a job, an attempt or an image that is only just being written down. */
const YOUNG_MS = 3_600_000;
const PAGES = 50;

/** Takes the inputs of jobs away that have ended or are not there. */
export async function sweepInputs(ports: Ports): Promise<void> {
  await sweep(ports, 'inputs/', async (keys) => {
    const needless = await ports.catalogue.sweeps.withoutInput(keys.map(idOf));
    return keys.filter((key) => needless.has(idOf(key)));
  });
}

/** Takes results away whose time is over, and those of attempts that did not become their job's. */
export async function sweepResults(ports: Ports): Promise<void> {
  await sweep(ports, 'results/', async (keys) => {
    const places = keys.map((key) => {
      const [, job = '', attempt] = key.split('/');
      return { job, attempt: Number(attempt) };
    });
    const needless = await ports.catalogue.sweeps.withoutResult(places, ports.now());
    return keys.filter((_, i) => needless.has(i));
  });
}

/** Takes away what is left of images that are gone. */
export async function sweepImages(ports: Ports): Promise<void> {
  await sweep(ports, 'images/', async (keys) => {
    const needless = await ports.catalogue.sweeps.withoutImage(keys.map(idOf));
    return keys.filter((key) => needless.has(idOf(key)));
  });
}

function idOf(key: string): string {
  return key.split('/')[1] ?? '';
}

async function sweep(ports: Ports, prefix: string, needless: (keys: string[]) => Promise<string[]>): Promise<void> {
  const { sweeps } = ports.catalogue;
  let cursor = await sweeps.cursor(prefix);
  for (let page = 0; page < PAGES; page++) {
    const found = await ports.objects.before(prefix, ports.now() - YOUNG_MS, cursor).catch(async (error: unknown) => {
      // A cursor that R2 no longer takes must not stop every turn to come.
      await sweeps.keepCursor(prefix, undefined);
      throw error;
    });
    if (found.keys.length > 0) await ports.objects.remove(await needless(found.keys));
    cursor = found.cursor;
    await sweeps.keepCursor(prefix, cursor);
    if (cursor === undefined) return;
  }
}
