import { z } from 'zod';

/** Limits of a tenant in JSON. */

const countSchema = z.int().min(0);

export const quotaLimitsSchema = z.object({
  stored_bytes: countSchema.meta({ description: 'Versions, uploads, inputs and results' }),
  waiting_jobs: countSchema.meta({ description: 'Asynchronous segmentations that have not ended' }),
  segmentations_at_once: countSchema,
  requests_per_minute: countSchema.min(1).meta({ description: 'As many may also come at once after a minute of rest' }),
});

export const quotaSchema = z.object({
  limits: quotaLimitsSchema,
  usage: quotaLimitsSchema.pick({ stored_bytes: true, waiting_jobs: true }),
});

/** What is left out stays as it is; null goes back to the service's default. */
export const quotaChangeSchema = z
  .strictObject({
    stored_bytes: countSchema.nullable().optional(),
    waiting_jobs: countSchema.nullable().optional(),
    segmentations_at_once: countSchema.nullable().optional(),
    requests_per_minute: countSchema.min(1).nullable().optional(),
  })
  .refine((changes) => Object.values(changes).some((value) => value !== undefined), 'expected a limit to change');
