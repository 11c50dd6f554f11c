import type { Context } from 'hono';
import { type ErrorCode, type FormatProblem, ServiceError } from '../../schemas/errors.ts';
import { asRun } from './admission.ts';
import { type Call, readCall } from './headers.ts';
import type { Run } from './runs.ts';
import { acquireModel, type RunnerEnv, type Services } from './services.ts';

interface Verification {
  /** Of the adapter, or the base digest. */
  readonly digest: string;
  readonly problems: readonly FormatProblem[];
  readonly warnings: readonly string[];
}

/** `POST /verify`: every rule of the format on an adapter, or on a base where no adapter is named. */
export async function verifyRoute(c: Context<RunnerEnv>, services: Services): Promise<Response> {
  const call = readCall(c.req.raw.headers, services.now());
  const result = await asRun(c, services, call, async (run) =>
    call.adapter === null
      ? await verifyBase(services, call, run)
      : await verifyAdapter(services, call, call.adapter.digest, run),
  );
  services.log.info({
    event: 'verified',
    request: c.var.requestId,
    trace: c.var.span.traceId,
    digest: result.digest,
    problems: result.problems.map(({ code }) => code),
  });
  return c.json(result);
}

async function verifyAdapter(services: Services, call: Call, digest: string, run: Run): Promise<Verification> {
  return await collect(digest, 'invalid_adapter', async () => {
    const model = await acquireModel(services, call, run);
    try {
      const { base, adapter } = model;
      services.segmenter.checkWindow(base, adapter);
      return { digest, problems: [], warnings: adapter?.warnings ?? [] };
    } finally {
      model.release();
    }
  });
}

async function verifyBase(services: Services, call: Call, run: Run): Promise<Verification> {
  const { digest, file, grant } = call.base;
  return await collect(digest, 'invalid_base', async () => {
    if (file !== null && grant !== null) {
      return { digest: await services.bases.verifyFile(file, grant, run.signal), problems: [], warnings: [] };
    }
    const model = await acquireModel(services, call, run);
    model.release();
    return { digest, problems: [], warnings: [] };
  });
}

/** What a check answers, or the problems that it throws. */
async function collect(digest: string, code: ErrorCode, check: () => Promise<Verification>): Promise<Verification> {
  try {
    return await check();
  } catch (error) {
    if (!(error instanceof ServiceError) || error.code !== code || error.problems === undefined) throw error;
    return { digest, problems: error.problems, warnings: [] };
  }
}
