import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { SESSION_DEFAULT_SECONDS, SESSION_MAX_SECONDS } from '../../schemas/limits.ts';
import { ADMIN, edge } from './support/edge.ts';
import { adapterFile, push, sha256 } from './support/files.ts';
import { objects } from './support/jobs.ts';
import { detailOf, makeLink, partsOf, send } from './support/monai-label.ts';
import { LABEL_MAP, labelMap } from './support/runner-stub.ts';
import { useWorld } from './support/world.ts';

const world = useWorld();

/** Bytes that hold the beginnings of delimiters. */
const IMAGE = new TextEncoder().encode(`\r\n--\r\n----------lImIt_of_THE_fIle_eW_\r\n${'voxels'.repeat(90_000)}\r\n--`);
const file = (bytes = IMAGE, filename = '/tmp/Slicer-x/tmp ab.nii.gz') => ({ file: { filename, bytes } });
const MODEL = 'acme%2Ftumour';

beforeEach(async () => {
  await push(world.key, 'tumour', adapterFile());
  world.runner.calls.length = 0;
});

const get = (path: string, key = world.key) => edge('GET', `/monailabel${path}`, { key });
const infer = (query: string, form = {}, model = MODEL) =>
  send('POST', `/monailabel/infer/${model}?${query}`, form, { key: world.key });
/** The volume that the runner was sent last: the body, or its one part. */
async function sentImage(): Promise<{ name: string | null; bytes: Uint8Array }> {
  const call = world.runner.calls.at(-1);
  if (call === undefined) throw new Error('the runner was not called');
  const type = call.headers.get('content-type') ?? '';
  if (!type.startsWith('multipart/')) return { name: null, bytes: call.body };
  const form = await new Response(call.body, { headers: { 'content-type': type } }).formData();
  const [[name, part] = [], ...more] = [...form.entries()];
  if (name === undefined || !(part instanceof File) || more.length > 0) throw new Error('not one file');
  return { name, bytes: new Uint8Array(await part.arrayBuffer()) };
}

describe('what 3D Slicer sends from login to mask', () => {
  test.each(['key', 'link'] as const)('by %s', async (how) => {
    const door = how === 'key' ? '/monailabel' : (await makeLink(ADMIN)).door;
    // `_client()` of the module stands before each of its calls.
    let token = '';
    const client = async () => {
      const auth = await edge('GET', `${door}/auth/`);
      if (auth.status !== 200) return {};
      expect(await auth.json()).toMatchObject({ enabled: true });
      const shown = token === '' ? 401 : (await edge('GET', `${door}/auth/token/valid`, { key: token })).status;
      if (shown === 200) return { key: token };
      const body = `username=acme&password=${world.key}&grant_type=password`;
      const headers = { 'content-type': 'application/x-www-form-urlencoded' };
      const login = await edge('POST', `${door}/auth/token`, { body, headers });
      expect(login.status).toBe(200);
      const given = await login.json<{ access_token: string; token_type: string }>();
      expect(given.token_type).toBe('bearer');
      token = given.access_token;
      return { key: token };
    };
    const info = await (await edge('GET', `${door}/info/`, await client())).json<{
      models: Record<string, { type: string; description: string; labels: Record<string, number>; config: object }>;
      config?: unknown;
    }>();
    expect(info.config).toBeUndefined();
    const [[model, told] = [], ...others] = Object.entries(info.models);
    expect(others).toEqual([]);
    expect([model, told?.type]).toEqual(['acme/tumour', 'segmentation']);
    expect((await edge('GET', `${door}/train/?check_if_running=true`, await client())).status).toBe(404);

    const fields = { params: JSON.stringify({ client_id: 'user-xyz' }) };
    const put = await send('PUT', `${door}/datastore/?image=MR+head+1`, { fields, files: file() }, await client());
    expect(await put.json()).toEqual({ image: 'MR head 1' });
    const params = { deadline: 90, result_extension: '.nrrd', result_dtype: 'uint8', client_id: 'user-xyz' };
    const path = `${door}/infer/${encodeURIComponent(model ?? '')}?image=MR+head+1`;
    const reply = await send('POST', path, { fields: { params: JSON.stringify(params) } }, await client());
    expect(reply.headers.get('content-length')).toBe(String((await reply.clone().arrayBuffer()).byteLength));
    const made = await partsOf(reply);
    expect(made.image).toEqual(LABEL_MAP);
    expect(made.filename).toMatch(/^[0-9a-f-]+\.nrrd$/);
    expect(world.runner.calls.at(-1)?.headers.get('x-format')).toBe('nrrd');
    expect(made.params).toMatchObject({ label_names: told?.labels, latencies: { pre: 0.003, infer: 0.004 } });
    expect((await sentImage()).bytes).toEqual(IMAGE);
  });
});

describe('the image', () => {
  const session = async (bytes = IMAGE, query = '') => {
    const form = {
      boundary: 'f00d',
      fields: { client_id: 'x' },
      files: { files: { filename: 'a.nii', bytes } },
      end: '\r\n',
    };
    const reply = await send('PUT', `/monailabel/session/${query}`, form, { key: world.key });
    expect(reply.status).toBe(200);
    return reply.json<{ session_id: string; session_info: { expiry: number; image: string } }>();
  };

  test('of the form goes to the runner as the adapter’s channel, byte for byte', async () => {
    const made = await partsOf(await infer('image=', { fields: { params: '{}' }, files: file() }));
    expect(made.image).toEqual(LABEL_MAP);
    const sent = await sentImage();
    expect(sent.name).toBe('T1');
    expect(sent.bytes).toEqual(IMAGE);
    expect(await objects('images/')).toEqual([]);
  });

  test('of a session is used before any other, and stays for the next call', async () => {
    const { session_id: id, session_info: info } = await session();
    expect(info).toMatchObject({ image: 'image.nii', expiry: SESSION_DEFAULT_SECONDS });
    const other = { fields: { params: '{}' }, files: file(new Uint8Array(9)) };
    for (let call = 0; call < 2; call++) {
      await partsOf(await infer(`image=&session_id=${id}`, other));
      expect((await sentImage()).bytes).toEqual(IMAGE);
    }
    const shown = await get(`/session/${id}?update_ts=false&image=true`);
    expect(new Uint8Array(await shown.arrayBuffer())).toEqual(IMAGE);
    expect((await edge('DELETE', `/monailabel/session/${id}`, { key: world.key })).status).toBe(200);
    expect(await objects('images/')).toEqual([]);
    expect((await detailOf(await get(`/session/${id}`))).status).toBe(404);
    expect((await detailOf(await infer(`image=x&session_id=${id}`, other))).status).toBe(404);
  });

  test('of a form whose header says the boundary of an earlier call is read all the same', async () => {
    const form = {
      boundary: 'f00d',
      fields: { client_id: 'x' },
      files: { files: { filename: 'a.nii', bytes: IMAGE } },
    };
    const call = { key: world.key, boundaryOfHeader: '----------lImIt_of_THE_fIle_eW_$' };
    expect((await send('PUT', '/monailabel/session/', form, call)).status).toBe(200);
  });

  test('is kept no longer than the service allows, from its last use', async () => {
    const { session_id: id } = await session(IMAGE, '?expiry=60');
    expect((await session(IMAGE, `?expiry=${SESSION_MAX_SECONDS + 1}`)).session_info.expiry).toBe(SESSION_MAX_SECONDS);
    const left = async () =>
      (await env.DB.prepare('SELECT expires_at AS at FROM images WHERE id = ?').bind(id).first<{ at: number }>())?.at ??
      0;
    await env.DB.prepare('UPDATE images SET expires_at = ? WHERE id = ?')
      .bind(Date.now() + 5_000, id)
      .run();
    expect((await get(`/session/${id}?update_ts=true`)).status).toBe(200);
    expect(await left()).toBeGreaterThan(Date.now() + 50_000);
    await env.DB.prepare('UPDATE images SET expires_at = 1 WHERE id = ?').bind(id).run();
    expect((await get(`/session/${id}`)).status).toBe(404);
  });

  test('of the datastore takes the place of one with its name, which is kept nowhere', async () => {
    for (const bytes of [new Uint8Array(9), IMAGE]) {
      const reply = await send(
        'PUT',
        '/monailabel/datastore/image?image=Jane+Doe',
        { files: file(bytes) },
        { key: world.key },
      );
      expect(await reply.json()).toEqual({ image: 'Jane Doe' });
    }
    expect(await objects('images/')).toHaveLength(1);
    expect(await (await get('/datastore/?output=all')).json()).toEqual({ total: 1, completed: 0, objects: {} });
    const found = await get('/datastore/image?image=Jane%20Doe');
    expect(new Uint8Array(await found.arrayBuffer())).toEqual(IMAGE);
    const { results } = await env.DB.prepare('SELECT * FROM images').all();
    const { results: lines } = await env.DB.prepare('SELECT * FROM audit').all();
    expect(JSON.stringify([results, lines])).not.toMatch(/Jane|Doe|Slicer/);
    expect((await edge('DELETE', '/monailabel/datastore/image?id=Jane+Doe', { key: world.key })).status).toBe(200);
    expect((await detailOf(await infer('image=Jane+Doe', { fields: { params: '{}' } }))).status).toBe(404);
  });

  test('has its file’s name where the client gives none', async () => {
    const reply = await send(
      'PUT',
      '/monailabel/datastore/?image=',
      { files: file(IMAGE, 'C:\\scans\\head.nii.gz') },
      { key: world.key },
    );
    expect(await reply.json()).toEqual({ image: 'head' });
  });

  test('counts among what the tenant stores', async () => {
    await edge('PUT', '/v1/tenants/acme/quota', { key: ADMIN, json: { stored_bytes: 500_000 } });
    const reply = await send('PUT', '/monailabel/datastore/?image=x', { files: file() }, { key: world.key });
    expect((await detailOf(reply)).status).toBe(429);
    expect(await objects('images/')).toEqual([]);
  });

  test.each([
    ['two files', { files: { files: { filename: 'a.dcm', bytes: IMAGE }, more: { filename: 'b.dcm', bytes: IMAGE } } }],
    ['none', { fields: { client_id: 'x' } }],
    ['an empty file', { files: { files: { filename: 'a.nii', bytes: new Uint8Array(0) } } }],
    ['a file of another name', { files: file() }],
  ])('of a form with %s is refused, and nothing stays', async (_, form) => {
    const reply = await send('PUT', '/monailabel/session/', form, { key: world.key });
    expect((await detailOf(reply)).status).toBe(400);
    expect(await objects('images/')).toEqual([]);
  });
});

describe('an inference', () => {
  const sent = { fields: { params: '{"client_id": null}' }, files: file() };

  test.each([
    ['image.nii.gz', undefined, '.nii.gz', 'nifti'],
    ['image.nrrd', undefined, '.nrrd', 'nrrd'],
    ['C:\\scans\\IMAGE.NRRD', '.nii.gz', '.nii.gz', 'nifti'],
    ['image.nii.gz', '.nrrd', '.nrrd', 'nrrd'],
    ['image.nrrd', '.seg.nrrd', '.seg.nrrd', 'nrrd'],
    ['image.nrrd', '.mha', '.nii.gz', 'nifti'],
  ])('of %s that is to end in %s ends in %s', async (filename, wanted, extension, format) => {
    const params = JSON.stringify({ result_extension: wanted });
    const form = { fields: { params }, files: file(IMAGE, filename) };
    const made = await partsOf(await infer('', form));
    expect(made.filename.replace(/^[0-9a-f-]+/, '')).toBe(extension);
    expect(world.runner.calls[0]?.headers.get('x-format')).toBe(format);
    const kept = await send(
      'PUT',
      '/monailabel/session/',
      { files: { files: { filename, bytes: IMAGE } } },
      { key: world.key },
    );
    const { session_id: id } = await kept.json<{ session_id: string }>();
    const again = await partsOf(await infer(`session_id=${id}`, { fields: { params } }));
    expect(again.filename.replace(/^[0-9a-f-]+/, '')).toBe(extension);
  });

  test('answers the label map alone, or what belongs to it alone', async () => {
    const image = await infer('output=image', sent);
    expect(new Uint8Array(await image.arrayBuffer())).toEqual(LABEL_MAP);
    expect(image.headers.get('content-disposition')).toMatch(/^attachment; filename="[0-9a-f-]+\.nii\.gz"$/);
    expect(image.headers.get('x-adapter-digest')).toBe(sha256(adapterFile()));
    const json = await infer('output=json', sent);
    expect(await json.json()).toMatchObject({ model: 'acme/tumour@1', adapter_digest: sha256(adapterFile()) });
    expect((await infer('output=dicom_seg', sent)).status).toBe(400);
  });

  test.each(['acme/tumour', 'tumour', 'acme%2Ftumour%401', encodeURIComponent(sha256(adapterFile()))])(
    'finds the model %s',
    async (model) => {
      expect((await infer('', sent, model)).status).toBe(200);
    },
  );

  test('of nothing says so in MONAI Label’s words', async () => {
    const detail = 'Neither Image nor File not Session ID input is provided';
    expect(await detailOf(await infer('image=', { fields: { params: '{}' } }))).toEqual({ status: 500, detail });
  });

  test.each([
    ['of an unknown model', 'nothing', sent, 404],
    ['with params that are no JSON', MODEL, { ...sent, fields: { params: '{' } }, 400],
    ['with a deadline that is too long', MODEL, { ...sent, fields: { params: '{"deadline": 601}' } }, 400],
    ['with scribbles', MODEL, { files: { label: { filename: 'l.nii.gz', bytes: IMAGE } } }, 400],
  ])('%s is refused', async (_, model, form, status) => {
    expect((await detailOf(await infer('image=x', form, model))).status).toBe(status);
    expect(world.runner.calls).toEqual([]);
  });

  test('is given the deadline that its params say', async () => {
    await infer('', { ...sent, fields: { params: '{"deadline": 300}' } });
    const deadline = Number(world.runner.calls[0]?.headers.get('x-deadline'));
    expect(deadline - Date.now()).toBeGreaterThan(280_000);
  });

  test('by a runner that says no length is an error, for no answer goes out without', async () => {
    world.runner.segment = (headers) =>
      new Response(new Blob([LABEL_MAP]).stream(), { headers: withoutLength(labelMap(headers).headers) });
    expect((await detailOf(await infer('', sent))).status).toBe(502);
  });

  test('leaves a line in the audit that names the link', async () => {
    const { id, door } = await makeLink(ADMIN);
    await send('POST', `${door}/infer/${MODEL}`, sent);
    const { data } = await (await edge('GET', '/v1/audit', { key: world.key })).json<{ data: object[] }>();
    expect(data[0]).toMatchObject({
      actor: `link:${id}`,
      action: 'segmentation.run',
      subject: 'acme/tumour@1',
      outcome: 'ok',
    });
  });

  test('with an adapter of several channels is not offered, and says why', async () => {
    await env.DB.prepare('UPDATE versions SET card = json_set(card, \'$.channels\', json(\'["T1","T2"]\'))').run();
    const { models } = await (await get('/info/')).json<{ models: Record<string, { type: string }> }>();
    expect(models['acme/tumour']?.type).toBe('others');
    expect((await detailOf(await infer('', sent))).status).toBe(422);
  });
});

function withoutLength(headers: Headers): Headers {
  headers.delete('content-length');
  return headers;
}
