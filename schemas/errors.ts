/** The status of every code of the public contract. Codes are stable. */
export const ERROR_STATUS = {
  invalid_request: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  method_not_allowed: 405,
  adapter_not_ready: 409,
  alias_conflict: 409,
  in_use: 409,
  conflict: 409,
  cancelled: 409,
  expired: 410,
  length_required: 411,
  too_large: 413,
  range_not_satisfiable: 416,
  invalid_adapter: 422,
  invalid_base: 422,
  invalid_volume: 422,
  channel_mismatch: 422,
  grid_mismatch: 422,
  idempotency_mismatch: 422,
  rate_limited: 429,
  quota_exceeded: 429,
  internal: 500,
  bad_runner_reply: 502,
  runner_busy: 503,
  runner_unavailable: 503,
  storage_unavailable: 503,
  deadline_exceeded: 504,
} as const;

export type ErrorCode = keyof typeof ERROR_STATUS;

export const ERROR_CODES = Object.keys(ERROR_STATUS).filter((code): code is ErrorCode =>
  Object.hasOwn(ERROR_STATUS, code),
);

/** What each code means, for people. */
export const ERROR_TITLE: Readonly<Record<ErrorCode, string>> = {
  invalid_request: 'The request is malformed',
  unauthorized: 'A valid key is needed',
  forbidden: 'The key lacks the scope',
  not_found: 'Not found',
  method_not_allowed: 'The path has other methods',
  adapter_not_ready: 'The adapter is not ready',
  alias_conflict: 'The alias is not where it was expected',
  in_use: 'Still in use',
  conflict: 'In conflict with the present state',
  cancelled: 'The run was cancelled',
  expired: 'The result is gone',
  length_required: 'Content-Length is needed',
  too_large: 'The body is too large',
  range_not_satisfiable: 'The range lies outside the file',
  invalid_adapter: 'Not a valid adapter',
  invalid_base: 'Not a valid base',
  invalid_volume: 'Not a readable volume',
  channel_mismatch: 'The channels are not those of the adapter',
  grid_mismatch: 'The channels lie on different grids',
  idempotency_mismatch: 'Another body under the same idempotency key',
  rate_limited: 'Too many requests',
  quota_exceeded: "Over the tenant's quota",
  internal: 'An error of the service',
  bad_runner_reply: 'The runner answered wrongly',
  runner_busy: 'Every runner is busy',
  runner_unavailable: 'No runner is available',
  storage_unavailable: 'The storage does not answer',
  deadline_exceeded: 'Over the deadline',
};

/** What is wrong with an adapter or base file; the table is section 4 of the format page. */
export const FORMAT_CODES = [
  'container',
  'manifest',
  'unknown_base',
  'tensors',
  'norm_axis',
  'labels',
  'not_finite',
  'wrong_base',
  'no_effect',
  'selftest',
] as const;

export type FormatCode = (typeof FORMAT_CODES)[number];

/** One problem of a file. `path` is a tensor's name or a manifest path such as `manifest.targets[3].rank`. */
export interface FormatProblem {
  readonly code: FormatCode;
  readonly path: string;
  readonly message: string;
}

export interface ServiceErrorExtra {
  readonly problems?: readonly FormatProblem[] | undefined;
  readonly retryAfterSeconds?: number | undefined;
  readonly cause?: unknown;
}

/** An error a caller may see: the code decides the status, the message is shown as it is. */
export class ServiceError extends Error {
  override readonly name = 'ServiceError';
  readonly code: ErrorCode;
  readonly problems?: readonly FormatProblem[];
  readonly retryAfterSeconds?: number;

  constructor(code: ErrorCode, message: string, extra: ServiceErrorExtra = {}) {
    super(message, extra.cause === undefined ? undefined : { cause: extra.cause });
    this.code = code;
    if (extra.problems !== undefined) this.problems = extra.problems;
    if (extra.retryAfterSeconds !== undefined) this.retryAfterSeconds = extra.retryAfterSeconds;
  }
}

export interface ProblemBody {
  type: string;
  title: string;
  status: number;
  detail: string;
  code: ErrorCode;
  request_id: string;
  problems?: readonly FormatProblem[];
}

export interface ProblemReply {
  status: number;
  headers: Record<string, string>;
  body: ProblemBody;
}

/**
 * RFC 9457 problem details of any thrown value. What is no `ServiceError` becomes `internal` without its message,
 * which could name files, addresses or a patient.
 */
export function problemDetails(error: unknown, requestId: string): ProblemReply {
  const known = error instanceof ServiceError ? error : new ServiceError('internal', 'The request failed.');
  const status = ERROR_STATUS[known.code];
  const headers: Record<string, string> = { 'content-type': 'application/problem+json' };
  const retryAfter = known.retryAfterSeconds ?? (status === 429 || status === 503 ? 1 : undefined);
  if (retryAfter !== undefined) headers['retry-after'] = String(Math.max(0, Math.ceil(retryAfter)));
  if (status === 401) headers['www-authenticate'] = 'Bearer';
  return {
    status,
    headers,
    body: {
      type: `urn:pdora-serve:problem:${known.code}`,
      title: ERROR_TITLE[known.code],
      status,
      detail: known.message,
      code: known.code,
      request_id: requestId,
      ...(known.problems === undefined ? {} : { problems: known.problems }),
    },
  };
}
