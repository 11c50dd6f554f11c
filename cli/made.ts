import { BASE_REF, DIGEST_PATTERN, parseRef } from '../schemas/names.ts';
import { CliError } from './failure.ts';
import { milliseconds } from './print.ts';

/** What the reply's headers say about how the label map was made. */
export interface Made {
  readonly adapterId: string | null;
  readonly version: string | null;
  readonly adapterDigest: string | null;
  readonly baseDigest: string;
  readonly cache: string;
  /** Milliseconds of each phase, in the order they ran. */
  readonly phases: ReadonlyMap<string, number>;
}

/** Reads the promised headers and holds them against what was asked for: a mask of another adapter is no answer. */
export function readMade(headers: Headers, ref: string): Made {
  const baseDigest = headers.get('x-base-digest');
  const adapterDigest = headers.get('x-adapter-digest');
  const version = headers.get('x-adapter-version');
  const cache = headers.get('x-adapter-cache');
  if (baseDigest === null || !DIGEST_PATTERN.test(baseDigest)) throw wrong('no base digest');
  if (ref !== BASE_REF) {
    if (adapterDigest === null || !DIGEST_PATTERN.test(adapterDigest)) throw wrong('no adapter digest');
    const asked = parseRef(ref);
    if (asked.ok && asked.value.kind === 'digest' && asked.value.digest !== adapterDigest) {
      throw wrong(`a label map of ${adapterDigest}, not of ${ref}`);
    }
    if (asked.ok && asked.value.kind === 'name' && asked.value.selector.kind === 'version') {
      if (version !== String(asked.value.selector.version))
        throw wrong(`a label map of version ${version}, not of ${ref}`);
    }
  }
  const phases = readPhases(headers.get('server-timing') ?? '');
  return { adapterId: headers.get('x-adapter-id'), version, adapterDigest, baseDigest, cache: cache ?? '-', phases };
}

function wrong(what: string): CliError {
  return new CliError('bad_reply', `the service answered with ${what}; nothing was written`);
}

/** `fuse;dur=1.5, infer;dur=2000` as milliseconds by name. */
function readPhases(field: string): ReadonlyMap<string, number> {
  const phases = new Map<string, number>();
  for (const metric of field.split(',')) {
    const [name = '', ...parameters] = metric.split(';').map((part) => part.trim());
    const duration = parameters.find((p) => p.startsWith('dur='))?.slice('dur='.length);
    if (name !== '' && duration !== undefined) phases.set(name, Number(duration));
  }
  return phases;
}

/** For the terminal, as rows of `name  value`; `asked` is the adapter of a service that names none. */
export function madeRows(made: Made, asked: string): string[][] {
  return [
    ['adapter', made.adapterId ?? asked],
    ['version', made.version ?? '-'],
    ['adapter digest', made.adapterDigest ?? '-'],
    ['base digest', made.baseDigest],
    ['cache', made.cache],
    ['times', phasesInWords(made.phases)],
  ];
}

export function phasesInWords(phases: ReadonlyMap<string, number>): string {
  return [...phases].map(([phase, duration]) => `${phase} ${milliseconds(duration)}`).join(', ');
}
