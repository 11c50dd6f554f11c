import { z } from 'zod';
import { formatProblemSchema } from '../../../schemas/api.ts';
import { ERROR_STATUS, type ErrorCode, ServiceError } from '../../../schemas/errors.ts';

export const RETRY_AFTER_SECONDS = 2;

/** A problem document is short; a runner that sends more is not telling us a problem. */
const PROBLEM_MAX_BYTES = 256 * 1024;

/** What a runner may say to a caller. The rest, such as refusing our own token, is our fault and not the caller's. */
const PASSED_ON: readonly ErrorCode[] = [
  'invalid_request',
  'too_large',
  'invalid_adapter',
  'invalid_base',
  'invalid_volume',
  'channel_mismatch',
  'grid_mismatch',
  'internal',
  'runner_busy',
  'runner_unavailable',
  'deadline_exceeded',
  'cancelled',
];

const problemReplySchema = z.object({
  code: z.enum(PASSED_ON),
  detail: z.string().max(2_000),
  problems: z.array(formatProblemSchema).optional(),
});

/** What a tunnel or proxy before a runner answers when it cannot reach it. */
const GATEWAY_STATUSES: readonly number[] = [502, 504, 520, 521, 522, 523, 524, 525, 526, 530];

/** What a runner's reply other than 200 means to a caller. */
export async function problemOf(reply: Response): Promise<ServiceError> {
  const isProblem = reply.headers.get('content-type')?.startsWith('application/problem+json') === true;
  const parsed = problemReplySchema.safeParse(isProblem ? await boundedJson(reply) : undefined);
  await reply.body?.cancel().catch(() => {});
  if (!isProblem && GATEWAY_STATUSES.includes(reply.status)) return unreachable('The runner could not be reached.');
  if (!parsed.success || ERROR_STATUS[parsed.data.code] !== reply.status) {
    return badReply(`it answered ${reply.status}`);
  }
  const { code, detail, problems } = parsed.data;
  const retryAfter = Number(reply.headers.get('retry-after') ?? RETRY_AFTER_SECONDS);
  return new ServiceError(code, detail, {
    problems,
    ...(reply.status === 503 && Number.isFinite(retryAfter) ? { retryAfterSeconds: retryAfter } : {}),
  });
}

/** No answer, where one may come later or from another runner. */
export function unreachable(message: string, cause?: unknown): ServiceError {
  return new ServiceError('runner_unavailable', message, { retryAfterSeconds: RETRY_AFTER_SECONDS, cause });
}

export function badReply(what: string): ServiceError {
  return new ServiceError('bad_runner_reply', `The runner answered wrongly: ${what}.`);
}

/** What ended a call that its own signal ended. */
export function aborted(reason: unknown): ServiceError {
  return reason instanceof Error && reason.name === 'TimeoutError'
    ? new ServiceError('deadline_exceeded', 'The runner did not answer before the deadline.')
    : new ServiceError('cancelled', 'The caller went away.');
}

async function boundedJson(reply: Response): Promise<unknown> {
  if (reply.body === null) return undefined;
  const decoder = new TextDecoder();
  let text = '';
  try {
    for await (const chunk of reply.body) {
      text += decoder.decode(chunk, { stream: true });
      if (text.length > PROBLEM_MAX_BYTES) return undefined;
    }
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
