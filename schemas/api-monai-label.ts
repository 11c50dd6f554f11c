import { z } from 'zod';
import { ERROR_CODES } from './errors.ts';
import {
  DEADLINE_DEFAULT_SECONDS,
  DEADLINE_MAX_SECONDS,
  SESSION_DEFAULT_SECONDS,
  SESSION_MAX_SECONDS,
} from './limits.ts';

/** JSON bodies and replies of MONAI Label's API, as far as its clients need it. */

/** Every error, as FastAPI tells one, with the public API's code and the request's id beside it. */
export const detailSchema = z.object({ detail: z.string(), code: z.enum(ERROR_CODES), request_id: z.string() });

export const authSchema = z.object({ enabled: z.boolean(), client_id: z.string(), realm: z.string() });

export const loginSchema = z.object({
  username: z.string().max(64).meta({ description: 'The tenant' }),
  password: z.string().max(256).meta({ description: 'A key of the tenant with the scope segment' }),
  grant_type: z.string().optional(),
});

export const loggedInSchema = z.object({ access_token: z.string(), token_type: z.literal('bearer') });

export const userSchema = z.object({
  username: z.string(),
  email: z.string(),
  name: z.string(),
  roles: z.array(z.string()),
});

const labelsSchema = z.record(z.string(), z.int()).meta({ description: 'Names with their values in a label map' });

export const appInfoSchema = z.object({
  name: z.string(),
  description: z.string(),
  version: z.string(),
  labels: z.array(z.string()),
  models: z.record(
    z.string(),
    z.object({
      type: z.enum(['segmentation', 'others']),
      labels: labelsSchema,
      dimension: z.literal(3),
      description: z.string(),
      config: z.object({ deadline: z.array(z.number()) }),
    }),
  ),
  trainers: z.object({}),
  strategies: z.object({}),
  scoring: z.object({}),
  train_stats: z.object({}),
  datastore: z.object({ total: z.int(), completed: z.int() }),
});

export const sessionInfoSchema = z.object({
  name: z.string(),
  path: z.string(),
  image: z.string(),
  meta: z.object({}),
  create_ts: z.int(),
  last_access_ts: z.int(),
  expiry: z.int(),
});

export const sessionCreatedSchema = z.object({ session_id: z.string(), session_info: sessionInfoSchema });

/** Python's way to write a boolean in a query. */
const flagSchema = z
  .string()
  .optional()
  .transform((text) => /^(1|true|yes|on)$/i.test(text ?? ''));

export const sessionCreateQuerySchema = z.object({
  expiry: z.coerce
    .number()
    .int()
    .min(0)
    .default(0)
    .transform((seconds) => (seconds === 0 ? SESSION_DEFAULT_SECONDS : Math.min(seconds, SESSION_MAX_SECONDS)))
    .meta({
      description: `Seconds from its last use: ${SESSION_DEFAULT_SECONDS} for 0, at most ${SESSION_MAX_SECONDS}`,
    }),
});

export const sessionQuerySchema = z.object({ update_ts: flagSchema, image: flagSchema });

export const imageIdQuerySchema = z.object({ image: z.string().max(1024).default('') });

export const datastoreSchema = z.object({
  total: z.int(),
  completed: z.int(),
  objects: z.object({}).meta({ description: 'Always empty: the names of images are not kept' }),
});

export const RESULTS = ['all', 'image', 'json'] as const;

export const inferQuerySchema = z.object({
  image: z.string().max(1024).default(''),
  session_id: z.string().max(64).default(''),
  output: z.enum(RESULTS).default('all'),
});

/** What of a call's `params` is heeded; MONAI Label's clients send many more. */
export const inferParamsSchema = z.object({
  deadline: z.coerce.number().positive().max(DEADLINE_MAX_SECONDS).default(DEADLINE_DEFAULT_SECONDS),
  result_extension: z.string().max(32).nullable().default(null),
});
