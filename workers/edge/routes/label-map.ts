import { z } from 'zod';
import { answerName, CONTENT_TYPE, type Format } from '../../../schemas/answer-formats.ts';
import type { OUTPUTS } from '../../../schemas/api.ts';
import { BASE_REF } from '../../../schemas/names.ts';
import { binary } from '../http/openapi.ts';
import type { AdapterName } from '../store/words.ts';

/** What belongs to a label map, for the document and for the reply. */

export const labelMapHeaders = z.object({
  'x-adapter-id': z.string().meta({ description: `tenant/name, or ${BASE_REF}` }),
  'x-adapter-version': z.string().optional().meta({ description: 'Not with the base alone' }),
  'x-adapter-digest': z.string().optional().meta({ description: 'Not with the base alone' }),
  'x-base-digest': z.string(),
  'x-adapter-cache': z.enum(['hot', 'warm', 'cold']),
  'server-timing': z
    .string()
    .meta({ description: 'queue, fetch, decode, preprocess, fuse, infer, postprocess, encode' }),
});

/** In the document. */
export const answerDescription =
  "On the grid of the adapter's first channel, in the format asked for: labels or probabilities";
export const answerContent = {
  [CONTENT_TYPE.nifti]: { schema: binary },
  [CONTENT_TYPE.nrrd]: { schema: binary },
};

/** What an answer is. */
interface Kind {
  readonly output: (typeof OUTPUTS)[number];
  readonly format: Format;
}

/** Null is the base alone. */
type Adapter = (AdapterName & { readonly version: number; readonly digest: string }) | null;

export function madeWith(
  adapter: Adapter,
  base: string,
  how: { cache: string; serverTiming: string },
  { output, format }: Kind,
): Headers {
  const headers = new Headers({
    'content-type': CONTENT_TYPE[format],
    'content-disposition': `attachment; filename="${answerName(format, output)}"`,
    'cache-control': 'no-store',
    'x-adapter-id': adapter === null ? BASE_REF : `${adapter.tenant}/${adapter.name}`,
    'x-base-digest': base,
    'x-adapter-cache': how.cache,
    'server-timing': how.serverTiming,
  });
  if (adapter === null) return headers;
  headers.set('x-adapter-version', String(adapter.version));
  headers.set('x-adapter-digest', adapter.digest);
  return headers;
}
