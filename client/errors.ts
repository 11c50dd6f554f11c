import type { components } from './openapi.ts';

/** RFC 9457 problem details, as every refusal of the service has them. */
export type Problem = components['schemas']['Problem'];
export type ErrorCode = Problem['code'];
/** One thing that is wrong with an adapter or base file. */
export type FormatProblem = NonNullable<Problem['problems']>[number];

/** Whatever goes wrong between a program and the service. */
export class PdoraError extends Error {
  override readonly name: string = 'PdoraError';
}

/** No answer, or the connection broke. */
export class UnreachableError extends PdoraError {
  override readonly name = 'UnreachableError';
}

interface Told {
  readonly code: ErrorCode | 'unknown';
  readonly detail: string;
  /** Null where a job says it, and not a reply. */
  readonly status?: number | null;
  readonly problems?: readonly FormatProblem[] | undefined;
  readonly requestId?: string | null;
  readonly retryAfterSeconds?: number | null;
}

/** The service refused a call. `code` is stable; `unknown` is said by something that answered in the service's place. */
export class ApiError extends PdoraError {
  override readonly name: string = 'ApiError';
  readonly code: ErrorCode | 'unknown';
  readonly detail: string;
  readonly status: number | null;
  readonly problems: readonly FormatProblem[];
  readonly requestId: string | null;
  readonly retryAfterSeconds: number | null;

  constructor({ code, detail, status = null, problems = [], requestId = null, retryAfterSeconds = null }: Told) {
    const lines = problems.map(({ path, message, code: one }) => `${path}: ${message} (${one})`);
    super([`${detail} (${code}${requestId === null ? '' : `, request ${requestId}`})`, ...lines].join('\n  '));
    this.code = code;
    this.detail = detail;
    this.status = status;
    this.problems = problems;
    this.requestId = requestId;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** An asynchronous segmentation ended without a label map; `code` is what a synchronous call would have had. */
export class JobError extends ApiError {
  override readonly name = 'JobError';
}

/** A pushed adapter was stored, but a runner found it invalid. It can never serve. */
export class RejectedError extends ApiError {
  override readonly name = 'RejectedError';
}

/** Of a reply that is no success. */
export async function refusalOf(reply: Response): Promise<ApiError> {
  const problem = problemIn(await reply.json().catch(() => null));
  const after = reply.headers.get('retry-after') ?? '';
  return new ApiError({
    code: problem?.code ?? 'unknown',
    detail: problem?.detail ?? `The service answered with status ${reply.status}.`,
    status: reply.status,
    problems: problem?.problems,
    requestId: problem?.request_id ?? reply.headers.get('x-request-id'),
    retryAfterSeconds: /^\d+$/.test(after) ? Number(after) : null,
  });
}

/** Lenient: whatever stands between the service and here may have answered. */
function problemIn(body: unknown): Partial<Problem> | null {
  return typeof body === 'object' ? body : null;
}
