import { z } from 'zod';
import { FORMATS } from './answer-formats.ts';
import { architectureSchema } from './architecture.ts';
import { ERROR_CODES, FORMAT_CODES } from './errors.ts';
import {
  DEADLINE_ASYNC_DEFAULT_SECONDS,
  DEADLINE_ASYNC_MAX_SECONDS,
  DEADLINE_DEFAULT_SECONDS,
  DEADLINE_MAX_SECONDS,
  KEY_OVERLAP_DEFAULT_SECONDS,
  KEY_OVERLAP_MAX_SECONDS,
  PAGE_DEFAULT_ITEMS,
  PAGE_MAX_ITEMS,
} from './limits.ts';
import {
  activationSchema,
  digestSchema,
  inferenceSchema,
  labelSchema,
  nameSchema,
  regionSchema,
} from './manifest-parts.ts';

/** JSON bodies and replies of the public API, version 1. */

const timeSchema = z.iso.datetime().meta({ description: 'UTC, ISO 8601', example: '2026-01-31T12:00:00.000Z' });

export const formatProblemSchema = z.object({
  code: z.enum(FORMAT_CODES),
  path: z.string().meta({ description: 'A tensor or a manifest path', example: 'manifest.targets[3].rank' }),
  message: z.string(),
});

/** RFC 9457. */
export const problemSchema = z.object({
  type: z.string(),
  title: z.string(),
  status: z.int(),
  detail: z.string(),
  code: z.enum(ERROR_CODES),
  request_id: z.string(),
  problems: z.array(formatProblemSchema).optional(),
});

export const healthSchema = z.object({
  status: z.enum(['ok', 'degraded']),
  runners: z.object({ ready: z.int().min(0), total: z.int().min(0) }),
});

/** A page of a list: the next one is asked for with `cursor`, null after the last. */
export function pageOf<T extends z.ZodType>(item: T) {
  return z.object({ data: z.array(item), next_cursor: z.string().nullable() });
}

export const pageQuerySchema = z.object({
  cursor: z.string().min(1).max(512).optional(),
  limit: z.coerce.number().int().min(1).max(PAGE_MAX_ITEMS).default(PAGE_DEFAULT_ITEMS),
});

export const tenantCreateSchema = z.strictObject({ id: nameSchema });
export const tenantSchema = z.object({ id: nameSchema, created_at: timeSchema });

export const SCOPES = ['adapters:read', 'adapters:write', 'segment', 'tenant:admin'] as const;
export const scopeSchema = z.enum(SCOPES);
export type Scope = (typeof SCOPES)[number];

export const keyCreateSchema = z.strictObject({
  name: z.string().min(1).max(64),
  scopes: z
    .array(scopeSchema)
    .min(1)
    .refine((scopes) => new Set(scopes).size === scopes.length, 'expected each scope once'),
  expires_at: z.iso.datetime({ offset: true }).optional(),
});

export const keySchema = z.object({
  id: z.string(),
  name: z.string(),
  scopes: z.array(scopeSchema),
  created_at: timeSchema,
  expires_at: timeSchema.nullable(),
});

export const keyRotateSchema = z.strictObject({
  overlap_seconds: z
    .int()
    .min(0)
    .max(KEY_OVERLAP_MAX_SECONDS)
    .default(KEY_OVERLAP_DEFAULT_SECONDS)
    .meta({ description: 'For how long the old key still works, though never longer than it would have' }),
});

export const keyCreatedSchema = keySchema.extend({
  key: z.string().meta({ description: 'Shown this once; the service keeps an HMAC of it' }),
});

export const VERSION_STATUSES = ['verifying', 'ready', 'rejected'] as const;
export const versionStatusSchema = z.enum(VERSION_STATUSES);
export type VersionStatus = (typeof VERSION_STATUSES)[number];

const adapterIdSchema = z.string().meta({ description: 'tenant/name', example: 'hospital/hippocampus' });
const versionNumberSchema = z.int().min(1);

export const versionCreatedSchema = z.object({
  adapter: adapterIdSchema,
  version: versionNumberSchema,
  digest: digestSchema,
  status: versionStatusSchema,
});

export const versionSchema = z.object({
  version: versionNumberSchema,
  digest: digestSchema,
  base: digestSchema,
  size: z.int().min(0).meta({ description: 'Bytes of the file' }),
  status: versionStatusSchema,
  problems: z.array(formatProblemSchema),
  created_at: timeSchema,
});

/** An adapter in a list. */
export const adapterSummarySchema = z.object({
  adapter: adapterIdSchema,
  description: z.string(),
  latest: versionNumberSchema.nullable().meta({ description: 'The newest ready version' }),
  created_at: timeSchema,
});

/** What a manifest says that a caller needs to use an adapter or a base. */
const modelCardShape = {
  description: z.string(),
  channels: z.array(z.string()),
  activation: activationSchema,
  labels: z.array(labelSchema),
  regions: z.array(regionSchema).optional(),
  inference: inferenceSchema,
  provenance: z.record(z.string(), z.unknown()),
  licence: z.string(),
  intended_use: z.string(),
};

/** One adapter with the card of the version that its reference names, or of the newest. */
export const adapterSchema = adapterSummarySchema.extend({
  ...modelCardShape,
  version: versionNumberSchema,
  digest: digestSchema,
  base: digestSchema,
  status: versionStatusSchema,
  problems: z.array(formatProblemSchema),
  versions: z.array(versionSchema),
  aliases: z.record(z.string(), versionNumberSchema),
});

export const baseSchema = z.object({
  ...modelCardShape,
  name: nameSchema,
  digest: digestSchema.meta({ description: 'The base digest, which adapters name' }),
  architecture: architectureSchema,
  size: z.int().min(0),
  status: versionStatusSchema,
  problems: z.array(formatProblemSchema),
  created_at: timeSchema,
});

export const modelListSchema = z.object({
  object: z.literal('list'),
  data: z.array(
    z.object({
      id: adapterIdSchema,
      object: z.literal('model'),
      owned_by: nameSchema,
      root: digestSchema,
      parent: digestSchema,
    }),
  ),
});

export const OUTPUTS = ['labels', 'probabilities'] as const;

export const segmentationQuerySchema = z.object({
  adapter: z
    .string()
    .min(1)
    .meta({ description: 'A reference to an adapter, or __base__ for the base with its own head' }),
  output: z.enum(OUTPUTS).default('labels'),
  format: z.enum(FORMATS).default('nifti').meta({
    description: 'Of the answer, whatever came in: .nii.gz, or with nrrd .seg.nrrd and of probabilities .nrrd',
  }),
  report: z
    .enum(['true', 'false'])
    .default('false')
    .meta({ description: 'Whether the reply to a synchronous call has the report in X-Report' }),
  deadline: z.coerce
    .number()
    .positive()
    .max(DEADLINE_ASYNC_MAX_SECONDS)
    .optional()
    .meta({
      description: `Seconds: ${DEADLINE_DEFAULT_SECONDS} if left out, at most ${DEADLINE_MAX_SECONDS}; asynchronous
        ${DEADLINE_ASYNC_DEFAULT_SECONDS} and ${DEADLINE_ASYNC_MAX_SECONDS}`.replace(/\s+/g, ' '),
    }),
});
