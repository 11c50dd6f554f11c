import { z } from 'zod';
import { digestSchema } from './manifest-parts.ts';

/** JSON bodies and replies of uploads in parts. */

const timeSchema = z.iso.datetime().meta({ description: 'UTC, ISO 8601', example: '2026-01-31T12:00:00.000Z' });

export const uploadCreateSchema = z.strictObject({
  size: z.int().min(1).meta({ description: 'Bytes of the whole' }),
  sha256: z
    .string()
    .regex(/^(sha256:)?[0-9a-f]{64}$/i, 'expected 64 hex digits')
    .transform((text) => `sha256:${text.toLowerCase().replace(/^sha256:/, '')}`)
    .meta({ description: 'SHA-256 of the whole in hex', example: 'sha256:…' }),
});

/** `parts` are put in any order and at once, each with its very length; then `complete` is posted. */
export const uploadSchema = z.object({
  id: z.string(),
  size: z.int().min(1),
  sha256: digestSchema,
  parts: z.array(
    z.object({
      url: z.url().meta({ description: 'To PUT the part at; no key is needed' }),
      size: z.int().min(1),
      received: z.boolean(),
    }),
  ),
  complete: z.url().meta({ description: 'To POST to once every part is there; no key is needed' }),
  completed_at: timeSchema.nullable(),
  expires_at: timeSchema,
});

export const uploadCompletedSchema = z.object({ id: z.string(), size: z.int().min(1), sha256: digestSchema });

/** Stands where a file's bytes would: the id of a completed upload of one's own. */
export const fromUploadSchema = z.strictObject({ upload: z.string().min(1).max(64) });
