import { z } from 'zod';
import { detailSchema } from '../../../schemas/api-monai-label.ts';
import { ERROR_STATUS } from '../../../schemas/errors.ts';
import { edge } from './edge.ts';

/** The boundary of MONAI Label's client, `$` and all. */
const CLIENTS_OWN = '----------lImIt_of_THE_fIle_eW_$';

export interface Sent {
  readonly boundary?: string;
  readonly fields?: Readonly<Record<string, string>>;
  /** By part name. */
  readonly files?: Readonly<Record<string, { readonly filename: string; readonly bytes: Uint8Array }>>;
  /** As the client ends its forms, with an empty line too much. */
  readonly end?: string;
}

/** A form as `encode_multipart_formdata` of MONAI Label's client writes it: fields, then files. */
export function formOf({ boundary = CLIENTS_OWN, fields = {}, files = {}, end = '\r\n\r\n' }: Sent): Uint8Array {
  const encoder = new TextEncoder();
  const parts: Uint8Array[] = [];
  for (const [name, value] of Object.entries(fields)) {
    parts.push(encoder.encode(`--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`));
  }
  for (const [name, { filename, bytes }] of Object.entries(files)) {
    const head = `--${boundary}\r\nContent-Disposition: form-data; name="${name}"; filename="${filename}"\r\n`;
    parts.push(encoder.encode(`${head}Content-Type: application/octet-stream\r\n\r\n`), bytes, encoder.encode('\r\n'));
  }
  parts.push(encoder.encode(`--${boundary}--${end}`));
  return new Uint8Array(parts.flatMap((part) => [...part]));
}

/** Sends a form through a door (`/monailabel`, or a link's path). */
export function send(
  method: string,
  path: string,
  form: Sent,
  call: { readonly key?: string; readonly boundaryOfHeader?: string } = {},
): Promise<Response> {
  const boundary = call.boundaryOfHeader ?? form.boundary ?? CLIENTS_OWN;
  return edge(method, path, {
    ...(call.key === undefined ? {} : { key: call.key }),
    body: formOf(form),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  });
}

/** The parts of an answer, read by the runtime's own parser. */
export async function partsOf(reply: Response): Promise<{ params: unknown; filename: string; image: Uint8Array }> {
  if (reply.status !== 200) throw new Error(`expected 200, found ${reply.status} ${await reply.text()}`);
  const form = await reply.formData();
  const image = form.get('image');
  const params = form.get('params');
  if (!(image instanceof File) || typeof params !== 'string') throw new Error('not the two parts that are expected');
  return { params: JSON.parse(params), filename: image.name, image: new Uint8Array(await image.arrayBuffer()) };
}

/** What every error here has. */
export async function detailOf(reply: Response): Promise<{ status: number; detail: string }> {
  const { detail, code, request_id: id } = z.strictObject(detailSchema.shape).parse(await reply.json());
  if (ERROR_STATUS[code] !== reply.status) throw new Error(`${code} with the status ${reply.status}`);
  if (id !== reply.headers.get('x-request-id')) throw new Error('it names another request');
  if (reply.headers.get('referrer-policy') !== 'no-referrer') throw new Error('no referrer policy');
  return { status: reply.status, detail };
}

/** A link of the tenant `acme`, as the path that clients append theirs to. */
export async function makeLink(key: string, lifetime = 3600): Promise<{ id: string; door: string }> {
  const json = { name: 'viewer', lifetime_seconds: lifetime };
  const reply = await edge('POST', '/v1/tenants/acme/links', { key, json });
  if (reply.status !== 201) throw new Error(`link: ${reply.status} ${await reply.text()}`);
  const { id, url } = await reply.json<{ id: string; url: string }>();
  return { id, door: new URL(url).pathname.replace(/\/$/, '') };
}
