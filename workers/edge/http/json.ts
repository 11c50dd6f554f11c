import type { HonoRequest } from 'hono';
import type { z } from 'zod';
import { ServiceError } from '../../../schemas/errors.ts';
import { invalidRequest } from './errors.ts';
import { contentLength } from './headers.ts';

/** A JSON body is read whole, so it has to be small, and say so. */
export const JSON_BODY_MAX_BYTES = 64 * 1024;

export function isJson(req: HonoRequest): boolean {
  return /^application\/(.+\+)?json\b/i.test(req.header('content-type') ?? '');
}

/** The JSON of a call that takes other bodies too. Throws `invalid_request` for what the schema refuses. */
export async function readJson<T extends z.ZodType>(req: HonoRequest, schema: T): Promise<z.infer<T>> {
  contentLength(req, JSON_BODY_MAX_BYTES);
  const body: unknown = await req.json().catch(() => {
    throw new ServiceError('invalid_request', 'body: expected JSON.');
  });
  const parsed = schema.safeParse(body);
  if (!parsed.success) throw invalidRequest(parsed.error);
  return parsed.data;
}
