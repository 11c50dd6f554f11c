import { z } from 'zod';

/** The least and the most over the cases of a training. */
const rangeSchema = z.tuple([z.number(), z.number()]);
const axesSchema = z.tuple([rangeSchema, rangeSchema, rangeSchema]);
const intensitiesSchema = z.object({ nonzero: rangeSchema, p1: rangeSchema, p50: rangeSchema, p99: rangeSchema });

/**
 * What an adapter's training images were like, at `inputs` in its provenance: spacing and extent in mm along the axes closest
 * to right, anterior and superior; of each channel, before it is normalised, the share of voxels that are not 0 and percentiles of these.
 */
export const trainingInputsSchema = z.object({
  spacing: axesSchema,
  extent: axesSchema,
  intensities: z.record(z.string(), intensitiesSchema),
});
export type TrainingInputs = z.infer<typeof trainingInputsSchema>;

/** Null where a provenance, which is free, does not say or says something else. */
export function trainingInputs(provenance: Readonly<Record<string, unknown>>): TrainingInputs | null {
  return trainingInputsSchema.safeParse(provenance['inputs']).data ?? null;
}
