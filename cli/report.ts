import type { z } from 'zod';
import { reportSchema } from '../schemas/report.ts';
import type { Client } from './client.ts';
import { jobPath } from './job.ts';
import { patiently } from './patiently.ts';
import { table } from './print.ts';

export type Report = z.infer<typeof reportSchema>;

const HEADS = ['label', 'name', 'voxels', 'volume', 'components', 'probability', 'entropy'];

export async function readReport(client: Client, id: string): Promise<Report> {
  return await patiently(() => client.json('GET', jobPath(id, '/report'), reportSchema));
}

/** For the terminal: each label, what did not fit, each warning in words. */
export function reportInWords(report: Report): string {
  const { id, adapter, version, adapter_digest, base_digest, voxels, ended_at, server_timing } = report;
  const made = [
    ['job', id],
    ['adapter', version === null ? adapter : `${adapter}@${version}`],
    ['adapter digest', adapter_digest ?? '-'],
    ['base digest', base_digest],
    ['voxels', voxels === null ? '-' : String(voxels)],
    ['ended', ended_at ?? '-'],
    ['times', server_timing ?? '-'],
  ];
  const labels = report.labels.map((label) => [
    String(label.value),
    label.name,
    String(label.voxels),
    `${label.volume_ml.toFixed(3)} ml`,
    String(label.components),
    label.mean_probability?.toFixed(4) ?? '-',
    label.mean_entropy?.toFixed(4) ?? '-',
  ]);
  const omitted = report.omitted === 0 ? [] : [`${report.omitted} more labels did not fit into the report`];
  const warnings = report.warnings.map(
    ({ code, channel, message }) => `warning: ${code}${channel === null ? '' : ` (${channel})`}: ${message}`,
  );
  const found = labels.length === 0 ? [] : [table([HEADS, ...labels])];
  return [table(made), ...found, ...omitted, ...(warnings.length === 0 ? ['no warnings'] : warnings)].join('\n');
}
