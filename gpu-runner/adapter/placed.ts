import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { access, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { HEAD_PARAMETERS } from '../../schemas/architecture.ts';
import { ServiceError } from '../../schemas/errors.ts';
import type { CompiledAdapter } from './compiled.ts';
import { type WeightsFile, writeWeightsFile } from './weights-file.ts';

/**
 * A compiled adapter whose weights lie in a file, from where a run's process reads them: neither process keeps them
 * between runs, and the system's page cache does so as far as there is memory to spare.
 */
export interface PlacedAdapter extends Pick<CompiledAdapter, 'digest' | 'manifest' | 'kind' | 'warnings' | 'bytes'> {
  /** Channels of its own head, null where it has the base's. */
  readonly classes: number | null;
  readonly weights: WeightsFile;
}

const RETRY_AFTER_SECONDS = 2;

/** Writes an adapter's weights into a folder, under a name of their own. Throws `runner_unavailable` where that fails. */
export async function placeAdapter(folder: string, adapter: CompiledAdapter): Promise<PlacedAdapter> {
  const { digest, manifest, kind, warnings, bytes, replaced } = adapter;
  const path = join(folder, `${randomUUID()}.adapter`);
  try {
    const weights = await writeWeightsFile(path, adapter);
    const classes = replaced.get(HEAD_PARAMETERS[0])?.shape[0] ?? null;
    return { digest, manifest, kind, warnings, bytes, classes, weights };
  } catch (cause) {
    await rm(path, { force: true });
    const message = 'The adapter cannot be written to the disk of this runner.';
    throw new ServiceError('runner_unavailable', message, { cause, retryAfterSeconds: RETRY_AFTER_SECONDS });
  }
}

/** Whether its file is still there: on some machines a janitor empties the folder for temporary files. */
export async function isPlaced({ weights }: PlacedAdapter): Promise<boolean> {
  return await access(weights.path, constants.R_OK).then(
    () => true,
    () => false,
  );
}

/** Removes an adapter's file. A run that has read it goes on. */
export async function withdrawAdapter({ weights }: PlacedAdapter): Promise<void> {
  await rm(weights.path, { force: true });
}
