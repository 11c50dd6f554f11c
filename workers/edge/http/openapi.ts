import { OpenAPIHono } from '@hono/zod-openapi';
import { problemSchema } from '../../../schemas/api.ts';
import { ERROR_STATUS, ERROR_TITLE, type ErrorCode } from '../../../schemas/errors.ts';
import type { EdgeEnv } from './context.ts';
import { invalidRequest } from './errors.ts';

const problem = problemSchema.meta({ id: 'Problem', description: 'RFC 9457, with a stable code' });

/** A resource's routes; what a schema refuses is `invalid_request`. */
export function routes(): OpenAPIHono<EdgeEnv> {
  return new OpenAPIHono<EdgeEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalidRequest(result.error);
    },
  });
}

type Content = { 'application/problem+json': { schema: typeof problem } };
type Described<C extends ErrorCode> = Record<(typeof ERROR_STATUS)[C], { description: string; content: Content }>;

/** Every call reads the storage, which may not answer. */
const ALWAYS = 'storage_unavailable';

/** The errors of a call for its document: codes of one status share an entry. Whoever shows a key is counted. */
export function errors<C extends ErrorCode>(...named: C[]): Described<C | typeof ALWAYS> {
  const codes = [...named, ALWAYS] as const;
  const described: Partial<Record<number, { description: string; content: Content }>> = {};
  const all: ErrorCode[] = codes.some((code) => code === 'unauthorized') ? [...codes, 'rate_limited'] : [...codes];
  for (const code of all) {
    const status = ERROR_STATUS[code];
    const line = `\`${code}\`: ${ERROR_TITLE[code]}`;
    const description = [described[status]?.description, line].filter((text) => text !== undefined).join('. ');
    described[status] = { description, content: { 'application/problem+json': { schema: problem } } };
  }
  if (!covers(described, codes)) throw new Error('a code without a status');
  return described;
}

/** What the loop above cannot tell the compiler. */
function covers<C extends ErrorCode>(described: object, codes: readonly C[]): described is Described<C> {
  return codes.every((code) => ERROR_STATUS[code] in described);
}

/** A binary body or reply of the document. It is no zod schema, so nothing reads the stream to validate it. */
export const binary = { type: 'string', format: 'binary' } as const;

/** A file's bytes, or an upload of them; both are read by the service, which alone knows which it is. */
export const fileBody = {
  required: true,
  content: {
    'application/octet-stream': { schema: binary },
    'application/json': {
      schema: {
        type: 'object' as const,
        properties: { upload: { type: 'string' as const, description: 'The id of a completed upload' } },
        required: ['upload'],
        additionalProperties: false,
      },
    },
  },
};

export const DOCUMENT = {
  openapi: '3.1.0',
  info: {
    title: 'PDoRA Serve',
    version: '1',
    description: 'Segment a volume by adapter ID: one shared SwinUNETR, one small PDoRA adapter a task.',
    license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
  },
  servers: [{ url: '/' }],
};

export const SIGNATURE_SCHEME = {
  type: 'apiKey',
  in: 'query',
  name: 'signature',
  description: 'Of a URL that an upload came with, beside its `expires`.',
} as const;

export const KEY_SCHEME = {
  type: 'http',
  scheme: 'bearer',
  description: "A tenant's key with the scope that the call names, or the admin key, which may do everything.",
} as const;
