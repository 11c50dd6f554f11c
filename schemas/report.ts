import { z } from 'zod';
import { jobSchema } from './api-jobs.ts';
import { REPORT_HEADER_MAX_BYTES } from './limits.ts';

/** What a segmentation found and how sure it was: as the runner tells it, in a header, and as the API shows it. */

export const WARNING_CODES = ['spacing', 'field_of_view', 'intensity', 'nothing_found'] as const;

export const warningSchema = z.object({
  code: z.enum(WARNING_CODES),
  channel: z.string().nullable().meta({ description: 'Null where it is about the grid or the whole' }),
  message: z.string(),
});
export type Warning = z.infer<typeof warningSchema>;

export const labelReportSchema = z.object({
  value: z.int().min(0),
  name: z.string(),
  voxels: z.int().min(0).meta({ description: 'Of the label map' }),
  volume_ml: z.number().min(0),
  components: z.int().min(0).meta({ description: '26-connected, of the label map' }),
  mean_probability: z
    .number()
    .min(0)
    .max(1)
    .nullable()
    .meta({ description: "Over the voxels that got the label on the network's grid, before components are dropped" }),
  mean_entropy: z.number().min(0).nullable().meta({ description: 'In nats, over the same voxels' }),
});

export const runReportSchema = z.object({
  labels: z.array(labelReportSchema).meta({ description: 'All but the background; empty with probabilities' }),
  omitted: z.int().min(0).meta({ description: 'Labels that did not fit' }),
  warnings: z.array(warningSchema),
});
export type RunReport = z.infer<typeof runReportSchema>;

export const reportSchema = jobSchema
  .pick({
    id: true,
    adapter: true,
    version: true,
    adapter_digest: true,
    base_digest: true,
    output: true,
    attempt: true,
    created_at: true,
    started_at: true,
    ended_at: true,
    voxels: true,
    server_timing: true,
  })
  .extend(runReportSchema.shape);

/** The header's value: base64 of JSON. What is too long loses labels from the end, and says how many. */
export function writeReport(report: RunReport): string {
  for (let kept = report.labels.length; ; kept = Math.floor(kept * 0.9)) {
    const omitted = report.omitted + report.labels.length - kept;
    const text = base64(JSON.stringify({ ...report, labels: report.labels.slice(0, kept), omitted }));
    if (text.length <= REPORT_HEADER_MAX_BYTES || kept === 0) return text;
  }
}

/** Null for what is no report. */
export function readReport(text: string | null): RunReport | null {
  if (text === null || text.length > REPORT_HEADER_MAX_BYTES) return null;
  try {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    return runReportSchema.parse(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    return null;
  }
}

function base64(text: string): string {
  return btoa(Array.from(new TextEncoder().encode(text), (byte) => String.fromCharCode(byte)).join(''));
}
