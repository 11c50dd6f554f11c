import { createRoute, type OpenAPIHono, z } from '@hono/zod-openapi';
import { inferParamsSchema, inferQuerySchema } from '../../../../schemas/api-monai-label.ts';
import { ServiceError } from '../../../../schemas/errors.ts';
import { DEADLINE_MAX_SECONDS } from '../../../../schemas/limits.ts';
import type { EdgeContext, EdgeEnv } from '../../http/context.ts';
import { invalidRequest } from '../../http/errors.ts';
import { binary } from '../../http/openapi.ts';
import type { Form } from '../../services/monai-label/form.ts';
import { type Inferred, infer } from '../../services/monai-label/infer.ts';
import { resultParams } from '../../services/monai-label/result.ts';
import { formatOf, type ResultExtension } from '../../services/monai-label/result-extension.ts';
import { resultForm } from '../../services/monai-label/result-form.ts';
import { madeWith } from '../label-map.ts';
import type { Door } from './door.ts';
import { incomingForm } from './incoming.ts';
import { bodyRefusals, refusals } from './replies.ts';

type Query = z.infer<typeof inferQuerySchema>;

/** A model is `tenant/name`, with its slash written `%2F` by the clients that know better. */
export function addInfer(app: OpenAPIHono<EdgeEnv>, door: Door): void {
  const one = { ...door.params, model: z.string().max(256) };
  const two = { ...door.params, tenant: z.string().max(64), name: z.string().max(192) };
  const whole = createRoute({ ...routeOf(door, 'infer/{model}'), request: requestOf(one) });
  const parted = createRoute({ ...routeOf(door, 'infer/{tenant}/{name}'), request: requestOf(two) });
  app.openapi(whole, (c) => answer(c, c.req.param('model') ?? '', c.req.valid('query')));
  app.openapi(parted, (c) =>
    answer(c, `${c.req.param('tenant') ?? ''}/${c.req.param('name') ?? ''}`, c.req.valid('query')),
  );
}

function routeOf(door: Door, path: string) {
  return {
    method: 'post' as const,
    path: `${door.prefix}/${path}`,
    summary: 'Segment an image: that of a session, else that of the form, else one of the datastore',
    tags: ['infer'],
    // How long it takes is in the form, which is not read yet; the slot ends with the call in any case.
    ...door.caller(DEADLINE_MAX_SECONDS),
    responses: {
      200: {
        description: 'The label map with what belongs to it, or (`output`) one of the two',
        content: {
          'multipart/form-data': {
            schema: { type: 'object' as const, properties: { params: { type: 'string' as const }, image: binary } },
          },
          'application/octet-stream': { schema: binary },
          'application/json': { schema: { type: 'object' as const } },
        },
      },
      ...refusals,
      ...bodyRefusals,
    },
  };
}

function requestOf<T extends z.ZodRawShape>(params: T) {
  return {
    params: z.object(params),
    query: inferQuerySchema,
    body: {
      content: {
        'multipart/form-data': {
          schema: { type: 'object' as const, properties: { params: { type: 'string' as const }, file: binary } },
        },
      },
    },
  };
}

async function answer(c: EdgeContext, model: string, { image, session_id: session, output }: Query): Promise<Response> {
  const form = await incomingForm(c);
  const runId = c.get('requestId');
  const call = { runId, model, image, session, form, signal: c.req.raw.signal };
  const { deadline: deadlineSeconds, result_extension: resultExtension } = await paramsOf(form);
  const done = await infer(c.get('ports'), c.get('principal'), { ...call, deadlineSeconds, resultExtension });
  const { version, base, reply, extension } = done;
  const filename = filenameOf(runId, extension);
  const headers = madeWith(version, base.digest, reply, { output: 'labels', format: formatOf(extension) });
  // A form says it of its part, and what belongs to a label map is no file.
  headers.delete('content-disposition');
  if (output === 'json') {
    await reply.body.cancel();
    headers.set('content-type', 'application/json');
    return new Response(JSON.stringify(resultParams(done)), { headers });
  }
  return output === 'image' ? file(done, headers, filename) : both(c, done, headers, filename);
}

function both(c: EdgeContext, done: Inferred, headers: Headers, filename: string): Response {
  const map = { body: done.reply.body, length: done.length, filename };
  const made = resultForm(resultParams(done), map);
  headers.set('content-type', made.contentType);
  headers.set('content-length', String(made.length));
  // On its way through a tenant's limits it is measured, and workerd pipes no measured stream into another.
  const measured =
    c.get('principal').kind === 'tenant' ? made.body : made.body.pipeThrough(new FixedLengthStream(made.length));
  return new Response(measured, { headers });
}

function file({ reply, length }: Inferred, headers: Headers, filename: string): Response {
  headers.set('content-type', 'application/octet-stream');
  headers.set('content-length', String(length));
  headers.set('content-disposition', `attachment; filename="${filename}"`);
  return new Response(reply.body, { headers });
}

/** Of this call alone: a client writes every result into one folder. */
function filenameOf(runId: string, extension: ResultExtension): string {
  return `${runId}${extension}`;
}

/** Throws `invalid_request` for `params` that are no JSON object, or a deadline that is none, and for scribbles. */
async function paramsOf(form: Form): Promise<z.infer<typeof inferParamsSchema>> {
  try {
    if (form.file !== null && form.file.name !== 'file') {
      throw new ServiceError('invalid_request', `${form.file.name}: models here take an image (file) and no labels.`);
    }
    const parsed = inferParamsSchema.safeParse(JSON.parse(form.fields.get('params') || '{}'));
    if (!parsed.success) throw invalidRequest(parsed.error);
    return parsed.data;
  } catch (error) {
    await form.drain();
    throw error instanceof SyntaxError ? new ServiceError('invalid_request', 'params: expected JSON.') : error;
  }
}
