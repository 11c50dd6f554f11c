import { z } from 'zod';
import { FORMATS } from './answer-formats.ts';
import { OUTPUTS } from './api.ts';
import { ERROR_CODES, FORMAT_CODES } from './errors.ts';
import { digestSchema } from './manifest-parts.ts';

/** Asynchronous segmentations in the public API, version 1. */

export const JOB_STATUSES = ['queued', 'running', 'succeeded', 'failed', 'cancelled'] as const;
export type JobStatus = (typeof JOB_STATUSES)[number];

const timeSchema = z.iso.datetime().meta({ description: 'UTC, ISO 8601', example: '2026-01-31T12:00:00.000Z' });

/** Why a job failed: what the reply to a synchronous call would have said. */
export const jobProblemSchema = z.object({
  code: z.enum(ERROR_CODES),
  detail: z.string(),
  problems: z.array(z.object({ code: z.enum(FORMAT_CODES), path: z.string(), message: z.string() })).optional(),
});
export type JobProblem = z.infer<typeof jobProblemSchema>;

export const jobCreatedSchema = z.object({
  id: z.string(),
  status: z.enum(JOB_STATUSES),
});

export const jobSchema = jobCreatedSchema.extend({
  adapter: z.string().meta({ description: 'tenant/name, or __base__', example: 'hospital/hippocampus' }),
  version: z.int().min(1).nullable(),
  adapter_digest: digestSchema.nullable(),
  base_digest: digestSchema,
  output: z.enum(OUTPUTS),
  format: z.enum(FORMATS),
  progress: z.number().min(0).max(1),
  attempt: z.int().min(0).meta({ description: 'How often a runner was asked' }),
  created_at: timeSchema,
  started_at: timeSchema.nullable(),
  ended_at: timeSchema.nullable(),
  deadline_at: timeSchema,
  expires_at: timeSchema.nullable().meta({ description: 'Until when the result is kept' }),
  voxels: z.int().min(0).nullable(),
  server_timing: z.string().nullable(),
  problem: jobProblemSchema.nullable(),
});

/** The body that names uploads in place of volumes. */
export const jobInputsSchema = z.strictObject({
  inputs: z
    .record(z.string().min(1).max(64), z.string().min(1).max(64))
    .refine((inputs) => Object.keys(inputs).length > 0, 'expected an upload for each channel')
    .meta({ description: "An upload's id for each channel", example: { T1: 'b5b1…' } }),
});
