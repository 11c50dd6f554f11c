import { readFile } from 'node:fs/promises';
import { type EngineResult, openEngine } from '../gpu-runner/local.ts';
import { formatOf } from './answer-file.ts';
import type { Image } from './images.ts';
import { writeAtomically } from './output.ts';
import { progressBar, spinner } from './progress.ts';

export interface LocalRequest {
  readonly images: readonly Image[];
  readonly base: string;
  /** Null runs the base with its own head. */
  readonly adapter: string | null;
  /** The names say the formats. */
  readonly output: string;
  /** Null writes the label map alone. */
  readonly probabilities: string | null;
}

export interface LocalResult {
  readonly adapterDigest: string | null;
  readonly baseDigest: string;
  readonly phases: ReadonlyMap<string, number>;
}

/** Segments files of this machine without a server: the runner's own network, rules and volumes. */
export async function segmentLocally(request: LocalRequest): Promise<LocalResult> {
  const opening = spinner('loading the base');
  const engine = await openEngine({ basePath: request.base }).finally(() => opening.stop());
  try {
    const images = await Promise.all(
      request.images.map(async ({ channel, path }) => ({ channel, bytes: await readFile(path) })),
    );
    const adapter = request.adapter === null ? undefined : await readFile(request.adapter);
    const answer = async (output: 'labels' | 'probabilities', path: string): Promise<EngineResult> => {
      const bar = progressBar(output, 1);
      const onProgress = (done: number, total: number): void => bar.update(done / total);
      return await engine
        .segment({ images, adapter, output, format: formatOf(path), onProgress })
        .finally(() => bar.stop());
    };
    const labels = await answer('labels', request.output);
    const probabilities = request.probabilities === null ? null : await answer('probabilities', request.probabilities);
    await writeAtomically(request.output, labels.body);
    if (request.probabilities !== null && probabilities !== null) {
      await writeAtomically(request.probabilities, probabilities.body);
    }
    const { adapterDigest, baseDigest, timings } = labels;
    return { adapterDigest, baseDigest, phases: new Map(Object.entries(timings)) };
  } finally {
    await engine.close();
  }
}
