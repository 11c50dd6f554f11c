import type { Label } from '../../schemas/manifest.ts';
import type { RunReport, Warning } from '../../schemas/report.ts';
import type { LabelSize } from '../volume/components.ts';
import type { LabelStatistics } from './statistics.ts';

export interface Findings {
  /** Of the label map; null for probabilities, which decide nothing. */
  readonly sizes: ReadonlyMap<number, LabelSize> | null;
  readonly voxelMl: number;
  readonly warnings: readonly Warning[];
}

/** What was found of every label but the background, how sure the network was, and what to mind. */
export function runReport(
  labels: readonly Label[],
  { sizes, voxelMl, warnings }: Findings,
  statistics: readonly LabelStatistics[] | null,
): RunReport {
  if (sizes === null) return { labels: [], omitted: 0, warnings: [...warnings] };
  const sure = new Map(statistics?.map((one) => [one.value, one]));
  const nothing: Warning = { code: 'nothing_found', channel: null, message: 'every voxel is background' };
  return {
    labels: labels
      .filter(({ value }) => value !== 0)
      .map(({ value, name }) => {
        const { voxels, components } = sizes.get(value) ?? { voxels: 0, components: 0 };
        const found = sure.get(value);
        const mean = (sum: number | undefined) =>
          found === undefined || sum === undefined ? null : rounded(sum / found.voxels, 4);
        return {
          value,
          name,
          voxels,
          volume_ml: rounded(voxels * voxelMl, 4),
          components,
          mean_probability: mean(found?.probability),
          mean_entropy: mean(found?.entropy),
        };
      }),
    omitted: 0,
    warnings: sizes.size === 0 ? [...warnings, nothing] : [...warnings],
  };
}

function rounded(value: number, digits: number): number {
  return Number(value.toFixed(digits));
}
