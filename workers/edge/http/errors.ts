import type { Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';
import type { z } from 'zod';
import { problemDetails, ServiceError } from '../../../schemas/errors.ts';
import type { EdgeContext, EdgeEnv } from './context.ts';

/** RFC 9457 for whatever was thrown. */
export function onError(error: Error, c: EdgeContext): Response {
  return problemReply(knownError(error, c), c);
}

/** What a caller is told of whatever was thrown; what is not ours to tell goes to the log. */
export function knownError(error: Error, c: EdgeContext): Error {
  const known = error instanceof HTTPException ? new ServiceError('invalid_request', error.message) : error;
  if (!(known instanceof ServiceError)) c.get('ports').log.error('failed', error);
  else if (known.cause instanceof Error) c.get('ports').log.error('refused', known.cause, { code: known.code });
  return known;
}

/** No such path, or a path that has other methods. */
export function onNotFound(app: Hono<EdgeEnv>): (c: EdgeContext) => Response {
  return (c) => {
    const methods = methodsOf(app, c.req.path);
    if (methods.length === 0) return problemReply(new ServiceError('not_found', 'There is no such path.'), c);
    const allow = methods.join(', ');
    const error = new ServiceError('method_not_allowed', `This path has ${allow}.`);
    return problemReply(error, c, { allow });
  };
}

/** One line for a request that its schema refuses: `path: what was expected`. */
export function invalidRequest(error: z.core.$ZodError): ServiceError {
  const told = error.issues.map((issue) => `${issue.path.join('.') || 'body'}: ${issue.message}`);
  return new ServiceError('invalid_request', told.join('; '));
}

function problemReply(error: unknown, c: EdgeContext, extra: Record<string, string> = {}): Response {
  const { status, headers, body } = problemDetails(error, c.get('requestId'));
  return new Response(JSON.stringify(body), { status, headers: { ...headers, ...extra } });
}

function methodsOf(app: Hono<EdgeEnv>, path: string): string[] {
  const segments = path.split('/');
  const matching = app.routes.filter((route) => {
    const wanted = route.path.split('/');
    if (route.method === 'ALL' || wanted.length !== segments.length) return false;
    return wanted.every((part, i) => (part.startsWith(':') ? segments[i] !== '' : part === segments[i]));
  });
  return [...new Set(matching.map((route) => route.method))].toSorted();
}
