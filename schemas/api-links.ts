import { z } from 'zod';
import { LINK_DEFAULT_SECONDS, LINK_MAX_SECONDS } from './limits.ts';

/** JSON bodies and replies of links. */

const timeSchema = z.iso.datetime().meta({ description: 'UTC, ISO 8601', example: '2026-01-31T12:00:00.000Z' });

export const linkCreateSchema = z.strictObject({
  name: z.string().min(1).max(64),
  lifetime_seconds: z
    .int()
    .min(1)
    .max(LINK_MAX_SECONDS)
    .default(LINK_DEFAULT_SECONDS)
    .meta({ description: 'A link always ends' }),
});

export const linkSchema = z.object({
  id: z.string(),
  name: z.string(),
  created_at: timeSchema,
  expires_at: timeSchema,
});

export const linkCreatedSchema = linkSchema.extend({
  url: z
    .url()
    .meta({ description: 'The address to give to a client; shown this once, the service keeps an HMAC of it' }),
});
