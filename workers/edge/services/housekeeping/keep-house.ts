import type { Ports } from '../../ports.ts';
import { collectFiles, dropHolds } from './files.ts';
import { expireImages } from './images.ts';
import { sweepImages, sweepInputs, sweepResults } from './objects.ts';
import { forgetIdempotency, forgetJobs } from './rows.ts';
import { clearUploads, expireUploads } from './uploads.ts';

const STAGING_KEPT_MS = 3_600_000;

/**
 * Each bounded, so that a turn ends, and each goes on in the next turn where this one left off. Together they ask the
 * database less than the 1,000 times that one invocation may; what came from patients goes first.
 */
const CHORES: readonly ((ports: Ports) => Promise<void>)[] = [
  sweepInputs,
  sweepResults,
  expireImages,
  sweepImages,
  expireUploads,
  clearUploads,
  forgetJobs,
  forgetIdempotency,
  (ports) => ports.blobs.sweepStaging(ports.now() - STAGING_KEPT_MS),
  dropHolds,
  collectFiles,
];

/** Clears what nothing needs any more. A chore that fails keeps none of the others from being done. */
export async function keepHouse(ports: Ports): Promise<void> {
  const failures: unknown[] = [];
  for (const chore of CHORES) await chore(ports).catch((error: unknown) => failures.push(error));
  if (failures.length > 0) throw new AggregateError(failures, 'housekeeping did not get through');
}
