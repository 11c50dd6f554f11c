import { z } from 'zod';
import { FORMATS, type Format } from '../../schemas/answer-formats.ts';
import { OUTPUTS } from '../../schemas/api.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { DEADLINE_ASYNC_MAX_SECONDS, DEADLINE_DEFAULT_SECONDS } from '../../schemas/limits.ts';
import { digestSchema, nameSchema } from '../../schemas/manifest-parts.ts';
import type { BaseRequest } from '../adapter/base-store.ts';

const GRANT_MAX_CHARACTERS = 256;
export const RUN_ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;

const headersSchema = z.object({
  'x-adapter-digest': digestSchema.optional(),
  'x-base-digest': digestSchema,
  'x-base-file': digestSchema.optional(),
  'x-run-id': z.string().regex(RUN_ID_PATTERN).optional(),
  'x-deadline': z
    .string()
    .regex(/^\d{1,15}$/)
    .transform(Number)
    .optional(),
  'x-tenant': nameSchema.optional(),
  'x-output': z.enum(OUTPUTS).default('labels'),
  'x-format': z.enum(FORMATS).default('nifti'),
  'x-grant': z.string().max(GRANT_MAX_CHARACTERS).optional(),
  'x-base-grant': z.string().max(GRANT_MAX_CHARACTERS).optional(),
});

/** What the edge asks for, from the headers of its call. */
export interface Call {
  readonly runId: string | undefined;
  /** Epoch milliseconds. */
  readonly deadline: number;
  readonly tenant: string | null;
  readonly output: (typeof OUTPUTS)[number];
  readonly format: Format;
  /** Null for the base alone. */
  readonly adapter: { readonly digest: string; readonly grant: string } | null;
  readonly base: BaseRequest;
}

/** Throws `invalid_request` with the header that is wrong. */
export function readCall(headers: Headers, now: number): Call {
  const parsed = headersSchema.safeParse(Object.fromEntries(headers));
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw new ServiceError('invalid_request', `Header ${issue?.path.join('.')}: ${issue?.message}.`);
  }
  const { data } = parsed;
  const digest = data['x-adapter-digest'];
  const grant = data['x-grant'];
  if (digest !== undefined && grant === undefined) {
    throw new ServiceError('invalid_request', 'Header x-grant is needed with x-adapter-digest.');
  }
  const latest = now + 1000 * DEADLINE_ASYNC_MAX_SECONDS;
  return {
    runId: data['x-run-id'],
    deadline: Math.min(data['x-deadline'] ?? now + 1000 * DEADLINE_DEFAULT_SECONDS, latest),
    tenant: data['x-tenant'] ?? null,
    output: data['x-output'],
    format: data['x-format'],
    adapter: digest === undefined ? null : { digest, grant: grant ?? '' },
    base: { digest: data['x-base-digest'], file: data['x-base-file'] ?? null, grant: data['x-base-grant'] ?? null },
  };
}
