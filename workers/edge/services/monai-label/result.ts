import { BASE_REF } from '../../../../schemas/names.ts';
import type { Segmented } from '../segmentations/recorded.ts';
import { labelNames } from './labels.ts';

/** What MONAI Label tells beside a label map, and with what it was made. */
export function resultParams({ version, base, reply }: Segmented) {
  const { card } = version ?? base;
  return {
    label_names: labelNames(card),
    latencies: latenciesOf(reply.serverTiming),
    centroids: {},
    model: version === null ? BASE_REF : `${version.tenant}/${version.name}@${version.version}`,
    adapter_digest: version?.digest ?? null,
    base_digest: base.digest,
  };
}

/** The phases of `Server-Timing`, in seconds, by MONAI Label's names. */
function latenciesOf(serverTiming: string) {
  const seconds = new Map<string, number>();
  for (const [, phase = '', milliseconds] of serverTiming.matchAll(/([a-z]+);dur=([0-9.]+)/g)) {
    seconds.set(phase, Number(milliseconds) / 1000);
  }
  const sum = (...phases: string[]) => round(phases.reduce((total, phase) => total + (seconds.get(phase) ?? 0), 0));
  return {
    pre: sum('decode', 'preprocess'),
    infer: sum('fuse', 'infer'),
    invert: 0,
    post: sum('postprocess'),
    write: sum('encode'),
    total: sum(...seconds.keys()),
    transform: {},
  };
}

function round(seconds: number): number {
  return Math.round(seconds * 1000) / 1000;
}
