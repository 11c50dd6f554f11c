import { PdoraError } from './errors.ts';
import type { Reply } from './types.ts';

/** Of all that a report says, what a synchronous call tells. */
export type RunReport = Pick<Reply<'/v1/segmentations/{id}/report'>, 'labels' | 'omitted' | 'warnings'>;

/** A label map or probabilities, with what made it. */
export interface Segmentation {
  /** The file: gzipped NIfTI, or NRRD where that was asked for. */
  readonly file: Blob;
  /** tenant/name, or __base__. */
  readonly adapter: string;
  /** Null where the base ran alone, as is the digest. */
  readonly version: number | null;
  readonly adapterDigest: string | null;
  readonly baseDigest: string;
  readonly cache: string;
  /** Milliseconds by phase. */
  readonly timing: Readonly<Record<string, number>>;
  /** Null where it was not asked for. */
  readonly report: RunReport | null;
}

export function segmentationOf(file: Blob, headers: Headers): Segmentation {
  const version = headers.get('x-adapter-version');
  return {
    file,
    adapter: promised(headers, 'x-adapter-id'),
    version: version === null ? null : Number(version),
    adapterDigest: headers.get('x-adapter-digest'),
    baseDigest: promised(headers, 'x-base-digest'),
    cache: promised(headers, 'x-adapter-cache'),
    timing: timingOf(headers.get('server-timing') ?? ''),
    report: reportOf(headers.get('x-report')),
  };
}

function promised(headers: Headers, name: string): string {
  const value = headers.get(name);
  if (value === null) throw new PdoraError(`The reply has no ${name}: it is not the service's, or CORS hides it.`);
  return value;
}

function timingOf(field: string): Record<string, number> {
  const phases = field.split(',').map((phase) => phase.trim().split(';dur='));
  return Object.fromEntries(
    phases.flatMap(([name = '', duration]) => (duration === undefined ? [] : [[name, Number(duration)]])),
  );
}

function reportOf(header: string | null): RunReport | null {
  if (header === null) return null;
  const bytes = Uint8Array.from(atob(header), (character) => character.charCodeAt(0));
  return JSON.parse(new TextDecoder().decode(bytes));
}
