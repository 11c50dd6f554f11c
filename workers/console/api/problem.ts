import { z } from 'zod';
import { formatProblemSchema } from '../../../schemas/api.ts';

export type FormatProblem = z.infer<typeof formatProblemSchema>;

/** Lenient, so that whatever `code` a service answers reaches the reader. */
const problemSchema = z.object({
  code: z.string(),
  title: z.string().optional(),
  detail: z.string().optional(),
  request_id: z.string().optional(),
  problems: z.array(formatProblemSchema.extend({ code: z.string() })).optional(),
});

/** What went wrong, in words for the page, with the service's own code. */
export class Problem extends Error {
  override readonly name = 'Problem';
  readonly code: string;
  readonly problems: readonly { readonly code: string; readonly path: string; readonly message: string }[];
  readonly requestId: string | null;
  /** As the reply's `Retry-After` says. */
  readonly retryAfterSeconds: number | null;

  constructor(
    code: string,
    message: string,
    more: {
      readonly problems?: Problem['problems'] | undefined;
      readonly requestId?: string | undefined;
      readonly retryAfterSeconds?: number | null;
    } = {},
  ) {
    super(message);
    this.code = code;
    this.problems = more.problems ?? [];
    this.requestId = more.requestId ?? null;
    this.retryAfterSeconds = more.retryAfterSeconds ?? null;
  }
}

/** The problem of a reply that is not the one that was asked for. */
export async function problemOf(reply: Response): Promise<Problem> {
  const seconds = Number(reply.headers.get('retry-after') ?? Number.NaN);
  const retryAfterSeconds = Number.isFinite(seconds) ? seconds : null;
  const body = problemSchema.safeParse(await reply.json().catch(() => undefined));
  if (!body.success) {
    return new Problem('bad_reply', `The service answered ${reply.status} without a reason.`, { retryAfterSeconds });
  }
  const { code, title, detail, problems, request_id: requestId } = body.data;
  return new Problem(code, detail ?? title ?? `The service answered ${reply.status}.`, {
    problems,
    requestId,
    retryAfterSeconds,
  });
}

/** Whatever was thrown, as a problem that can be shown. */
export function asProblem(error: unknown): Problem {
  if (error instanceof Problem) return error;
  return new Problem('console', error instanceof Error ? error.message : String(error));
}
