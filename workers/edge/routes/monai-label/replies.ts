import { detailSchema } from '../../../../schemas/api-monai-label.ts';
import { problemDetails } from '../../../../schemas/errors.ts';
import type { EdgeContext } from '../../http/context.ts';
import { knownError } from '../../http/errors.ts';

const content = { 'application/json': { schema: detailSchema } };

/** The errors of every call, for its document. */
export const refusals = {
  400: { description: 'Malformed', content },
  401: { description: 'The key or link is missing, wrong, revoked or expired', content },
  403: { description: 'The key lacks the scope `segment`', content },
  404: { description: 'Not found, or not of this key', content },
  429: { description: "Over the tenant's rate or quota", content },
  500: { description: 'An error of the service', content },
  503: { description: 'Storage or runner are away, or busy', content },
};

/** What else may be wrong with a call that sends an image. */
export const bodyRefusals = {
  411: { description: 'Content-Length is needed', content },
  413: { description: 'The body is too large', content },
};

/** As FastAPI tells an error, for clients show `detail`; statuses and codes are those of the public API. */
export function detailReply(error: Error, c: EdgeContext): Response {
  const { status, headers, body } = problemDetails(knownError(error, c), c.get('requestId'));
  const { detail, code, request_id } = body;
  const type = { 'content-type': 'application/json' };
  return new Response(JSON.stringify({ detail, code, request_id }), { status, headers: { ...headers, ...type } });
}
