import { readFile, writeFile } from 'node:fs/promises';
import openapiTS, { astToString } from 'openapi-typescript';
import ts from 'typescript';

const FILE = new URL('openapi.ts', import.meta.url);
const HEAD = '// Made by `npm run generate -w client` from /openapi.json; not to be edited.\n\n';

/** What `openapi.ts` is to be for this document. */
export async function typesOf(document: string): Promise<string> {
  const nodes = await openapiTS(document, {
    alphabetize: true,
    // Binary bodies and replies are blobs, which fetch sends with their length; a form is what the browser makes.
    transform: ({ type, format }, { path }) => {
      if (type === 'string' && format === 'binary') return ts.factory.createTypeReferenceNode('Blob');
      if (type === 'object' && path?.endsWith('multipart~1form-data'))
        return ts.factory.createTypeReferenceNode('FormData');
      return undefined;
    },
  });
  return HEAD + astToString(nodes);
}

/** `openapi.ts` as it is. */
export async function committedTypes(): Promise<string> {
  return await readFile(FILE, 'utf8');
}

if (import.meta.main) {
  const [url = 'http://localhost:8787'] = process.argv.slice(2);
  const reply = await fetch(new URL('/openapi.json', url));
  if (!reply.ok) throw new Error(`${url}: ${reply.status}`);
  await writeFile(FILE, await typesOf(await reply.text()));
}
