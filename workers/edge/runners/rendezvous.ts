import { createHash } from 'node:crypto';

/**
 * Runners by how much each should have the file with this digest, the highest random weight first: every isolate finds
 * the same order, and where a runner leaves or comes, only the files move that were or will be its own.
 */
export function byWeight(runners: readonly string[], digest: string): string[] {
  return runners
    .map((runner) => ({ runner, weight: weightOf(runner, digest) }))
    .toSorted((a, b) => (a.weight < b.weight ? 1 : -1))
    .map(({ runner }) => runner);
}

/** In hex, of one length, so that text compares as numbers do. */
function weightOf(runner: string, digest: string): string {
  return createHash('sha256').update(`${runner}\n${digest}`).digest('hex');
}
