import { expect } from 'vitest';
import { SCOPES, type Scope } from '../../../schemas/api.ts';
import { jobCreatedSchema } from '../../../schemas/api-jobs.ts';
import { ADMIN, type Call, callEdge, deliver, edge, makeKey } from './edge.ts';
import { shown, VOLUME } from './jobs.ts';
import {
  type ModelKey,
  type ModelRef,
  type ModelVersion,
  NOT_FOUND,
  RegistryModel,
  type Told,
} from './registry-model.ts';
import type { Flight, Job, Verification } from './registry-open.ts';
import { keyPath, pick, segmentPath, textOf, toldOf } from './registry-texts.ts';
import { LABEL_MAP, labelMap, type RunnerStub, verified } from './runner-stub.ts';

const PROBLEM = { code: 'selftest', path: 'manifest.selftest', message: 'expected 1 within 0.001, found 2' };
/** The limits of a tenant are others' to test. */
const VARS = { QUOTA_REQUESTS_PER_MINUTE: '1000000' };
const PATIENCE_MS = 5_000;

/** The service and its model side by side: each move is made on both, and their answers are compared. */
export class RegistryPlay {
  readonly model = new RegistryModel();
  readonly keys: ModelKey[] = [];
  readonly verifications: Verification[] = [];
  readonly flights: Flight[] = [];
  readonly jobs: Job[] = [];
  /** How often each answer and each end of a segmentation came. */
  readonly seen = new Map<Told, number>();
  readonly #trace: string[] = [];
  readonly #runner: RunnerStub;
  readonly #asked: ((good: boolean) => void)[] = [];
  readonly #held: (() => void)[] = [];
  #holding = false;

  constructor(runner: RunnerStub) {
    this.#runner = runner;
    runner.verify = (headers) =>
      new Promise((resolve) => {
        this.#asked.push((good) => resolve(verified(headers, good ? [] : [PROBLEM])));
      });
    runner.segment = (headers) => {
      if (!this.#holding) return labelMap(headers);
      return new Promise((resolve) => {
        this.#held.push(() => resolve(labelMap(headers)));
      });
    };
  }

  /** A move of the key's tenant that changes something, or is refused alike by service and model. */
  async change(method: string, path: string, key: ModelKey, model: () => Told, json?: unknown): Promise<void> {
    const reply = await this.#call(method, path, key, json === undefined ? {} : { json });
    await this.#same(`${method} ${path} ${JSON.stringify(json) ?? ''}`, key, reply, 'adapters:write', model);
  }

  async push(key: ModelKey, place: string, file: Uint8Array, digest: string): Promise<void> {
    const path = `/v1/adapters/${encodeURIComponent(place)}/versions`;
    const { reply, settled } = await callEdge('POST', path, { key: key.key, body: file, vars: VARS });
    const text = await reply.text();
    const copy = new Response(text, reply);
    let made: ReturnType<RegistryModel['push']> | null = null;
    await this.#same(`push ${place} ${digest.slice(7, 11)}`, key, copy, 'adapters:write', () => {
      made = this.model.push(key.tenant, place, digest);
      return made.told;
    });
    await this.#pushed(made, text, settled);
  }

  async #pushed(made: ReturnType<RegistryModel['push']> | null, text: string, settled: () => Promise<void>) {
    if (made?.version != null) {
      const { version, digest, status, place } = made.version;
      this.#expect(JSON.parse(text), { adapter: place, version, digest, status });
    }
    if (made?.version == null || !made.verify) return await settled();
    await this.#until(() => this.#asked.length > 0);
    const [answer] = this.#asked.splice(0);
    if (answer !== undefined) this.verifications.push({ version: made.version, answer, settled });
  }

  async verdict({ version, answer, settled }: Verification, good: boolean): Promise<void> {
    this.#trace.push(`${version.place}@${version.version} is ${good ? 'good' : 'bad'}`);
    answer(good);
    await settled();
    this.model.verdict(version, good);
  }

  /** Segments at once, and is answered. */
  async segment(key: ModelKey, ref: ModelRef): Promise<void> {
    const reply = await this.#call('POST', segmentPath(key, ref), key, { body: VOLUME });
    const used = await this.#used('segment', key, ref, reply, '200');
    if (used !== null) await this.#expectMadeWith(reply, used);
  }

  /** Starts a segmentation that the runner keeps until `land`. */
  async takeOff(key: ModelKey, ref: ModelRef): Promise<void> {
    const version = this.model.refusal(key, 'segment') ?? this.model.use(key.tenant, ref);
    if (typeof version === 'string') return await this.segment(key, ref);
    this.#trace.push(`${key.tenant} takes off with ${textOf(key, ref)}`);
    this.#holding = true;
    const call = callEdge('POST', segmentPath(key, ref), { key: key.key, body: VOLUME, vars: VARS });
    await this.#until(() => this.#held.length > 0);
    this.#holding = false;
    const [land] = this.#held.splice(0);
    if (land !== undefined) this.flights.push({ version, land, call });
  }

  /** Whatever has become of alias, version, grant and key since. */
  async land({ version, land, call }: Flight): Promise<void> {
    this.#trace.push(`${version.place}@${version.version} lands`);
    this.#count(this.model.versions(version.place).includes(version) ? 'landed' : 'landed though deleted');
    land();
    const { reply, settled } = await call;
    const whole = new Response(await reply.arrayBuffer(), reply);
    await settled();
    this.#expect(whole.status, 200);
    await this.#expectMadeWith(whole, version);
  }

  async submit(key: ModelKey, ref: ModelRef): Promise<void> {
    const headers = { prefer: 'respond-async' };
    const reply = await this.#call('POST', segmentPath(key, ref), key, { body: VOLUME, headers });
    const version = await this.#used('submit', key, ref, reply, '202');
    if (version === null) return;
    const { id } = jobCreatedSchema.parse(await reply.json());
    this.jobs.push({ id, tenant: key.tenant, version });
  }

  /** Has every job that waits done, by what its tenant may still use. */
  async deliver(): Promise<void> {
    this.#trace.push('deliver');
    await deliver();
    for (const { id, tenant, version } of this.jobs.splice(0)) {
      const { key } = await this.goodKey(tenant);
      const still = this.model.stillThere(tenant, version);
      this.#count(still ? 'job done' : 'job refused');
      const job = await shown(key, id);
      this.#expect(
        [job.status, job.adapter, job.version, job.adapter_digest, job.problem?.code],
        [
          still ? 'succeeded' : 'failed',
          version.place,
          version.version,
          version.digest,
          still ? undefined : 'not_found',
        ],
      );
      const asked = this.#runner.calls.filter(({ headers }) => headers.get('x-run-id')?.startsWith(id) === true);
      this.#expect(
        asked.map(({ headers }) => headers.get('x-adapter-digest')),
        still ? [version.digest] : [],
      );
      const result = await edge('GET', `/v1/segmentations/${id}/result`, { key, vars: VARS });
      this.#expect(await toldOf(result), still ? '200' : '409 conflict');
      this.#expect(result.headers.get('x-adapter-digest'), still ? version.digest : null);
    }
  }

  /** Reads one version, or its file, by a reference. */
  async read(key: ModelKey, ref: ModelRef, file: boolean): Promise<void> {
    const path = `/v1/adapters/${encodeURIComponent(textOf(key, ref))}`;
    const reply = await this.#call('GET', file ? `${path}/file` : path, key);
    const found = file ? this.model.find(key.tenant, ref) : this.#shown(key.tenant, ref);
    const theirs = typeof found !== 'string' && file && !found.place.startsWith(`${key.tenant}/`);
    const told = typeof found === 'string' ? found : theirs ? NOT_FOUND : '200';
    await this.#same(`read ${file ? 'file of ' : ''}${path}`, key, reply, 'adapters:read', () => told);
    if (!reply.ok || typeof found === 'string') return;
    if (file) this.#expect(reply.headers.get('etag'), `"${found.digest}"`);
    else this.#expect(pick(await reply.json(), 'version', 'digest'), pick({ ...found }, 'version', 'digest'));
  }

  /** Compares everything that a tenant can see. */
  async look(tenant: string, places: readonly string[]): Promise<void> {
    const key = await this.goodKey(tenant);
    const list = async (path: string) => (await (await this.#call('GET', path, key)).json<{ data: unknown[] }>()).data;
    const visible = this.model.visible(tenant);
    const ready = visible.map((place) => ({ place, latest: this.model.latest(place) }));
    this.#expect(
      (await list('/v1/adapters')).map((item) => pick(item, 'adapter', 'latest')),
      ready.map(({ place, latest }) => ({ adapter: place, latest: latest?.version ?? null })),
    );
    this.#expect(
      (await list('/v1/models')).map((item) => pick(item, 'id', 'root')),
      ready.flatMap(({ place, latest }) => (latest === null ? [] : [{ id: place, root: latest.digest }])),
    );
    for (const place of places) {
      const reply = await this.#call('GET', `/v1/adapters/${encodeURIComponent(place)}`, key);
      this.#expect(await toldOf(reply), visible.includes(place) ? '200' : NOT_FOUND);
      if (!reply.ok) continue;
      const { versions, aliases } = await reply.json<{ versions: unknown[]; aliases: unknown }>();
      const wanted = this.model.versions(place);
      const latest = this.model.latest(place);
      this.#expect(
        versions.map((version) => pick(version, 'version', 'digest', 'status')),
        wanted.map((version) => pick(version, 'version', 'digest', 'status')),
      );
      this.#expect(aliases, { ...this.model.aliases(place), ...(latest === null ? {} : { latest: latest.version }) });
    }
  }

  async revoke(key: ModelKey): Promise<void> {
    const reply = await edge('DELETE', keyPath(key), { key: ADMIN });
    this.#tell(`revoke of ${key.tenant} ${key.id}`, await toldOf(reply), key.state === 'revoked' ? NOT_FOUND : '204');
    key.state = 'revoked';
  }

  async rotate(key: ModelKey, overlap: number): Promise<void> {
    const reply = await edge('POST', `${keyPath(key)}/rotate`, { key: ADMIN, json: { overlap_seconds: overlap } });
    const { state, rotated, tenant, scopes } = key;
    const told = state === 'revoked' ? NOT_FOUND : state === 'ended' || rotated ? '409 conflict' : '201';
    this.#tell(`rotate of ${tenant} ${key.id} for ${overlap}`, await toldOf(reply), told);
    if (told !== '201') return;
    key.rotated = true;
    if (overlap === 0) key.state = 'ended';
    const made = await reply.json<{ id: string; key: string }>();
    this.keys.push({ id: made.id, key: made.key, tenant, scopes, state: 'valid', rotated: false });
  }

  async newKey(tenant: string, scopes: readonly Scope[] = SCOPES): Promise<ModelKey> {
    const { id, key } = await makeKey(tenant, [...scopes]);
    const made: ModelKey = { id, key, tenant, scopes, state: 'valid', rotated: false };
    this.keys.push(made);
    return made;
  }

  /** A valid key of the tenant with every scope. */
  async goodKey(tenant: string): Promise<ModelKey> {
    const there = this.keys.find((key) => {
      return key.tenant === tenant && key.state === 'valid' && key.scopes.length === SCOPES.length;
    });
    return there ?? (await this.newKey(tenant));
  }

  /** With `latest` the newest ready version is shown, or the newest where none is ready. */
  #shown(viewer: string, ref: ModelRef): ModelVersion | Told {
    if (!('place' in ref) || ref.at !== 'latest' || !this.model.mayUse(viewer, ref.place)) {
      return this.model.find(viewer, ref);
    }
    return this.model.latest(ref.place) ?? this.model.versions(ref.place).at(-1) ?? NOT_FOUND;
  }

  /** Compares the answer to a segmentation with the model's, and says which version it must be made with. */
  async #used(what: string, key: ModelKey, ref: ModelRef, reply: Response, done: Told): Promise<ModelVersion | null> {
    const version = this.model.use(key.tenant, ref);
    const told = typeof version === 'string' ? version : done;
    await this.#same(`${what} ${textOf(key, ref)}`, key, reply, 'segment', () => told);
    return reply.ok && typeof version !== 'string' ? version : null;
  }

  async #expectMadeWith(reply: Response, { place, version, digest }: ModelVersion): Promise<void> {
    const { headers } = reply;
    const made = ['x-adapter-id', 'x-adapter-version', 'x-adapter-digest'].map((name) => headers.get(name));
    this.#expect(made, [place, String(version), digest]);
    this.#expect(new Uint8Array(await reply.arrayBuffer()), LABEL_MAP);
    const asked = this.#runner.calls.find((call) => call.headers.get('x-run-id') === headers.get('x-request-id'));
    this.#expect(asked?.headers.get('x-adapter-digest'), digest);
  }

  #call(method: string, path: string, key: ModelKey, call: Call = {}): Promise<Response> {
    return edge(method, path, { ...call, key: key.key, vars: VARS });
  }

  async #same(what: string, key: ModelKey, reply: Response, scope: Scope, model: () => Told): Promise<void> {
    const wanted = this.model.refusal(key, scope) ?? model();
    this.#tell(`${key.tenant} (${key.state}): ${what}`, await toldOf(reply), wanted);
  }

  #tell(what: string, got: Told, wanted: Told): void {
    this.#trace.push(`${what} -> ${got}`);
    this.#count(got);
    this.#expect(got, wanted);
  }

  #count(what: string): void {
    this.seen.set(what, (this.seen.get(what) ?? 0) + 1);
  }

  #expect(got: unknown, wanted: unknown): void {
    expect(got, `after\n${this.#trace.slice(-40).join('\n')}\n`).toEqual(wanted);
  }

  async #until(so: () => boolean): Promise<void> {
    for (const late = Date.now() + PATIENCE_MS; !so(); await scheduler.wait(1)) {
      if (Date.now() > late) throw new Error(`the runner is not asked after\n${this.#trace.slice(-40).join('\n')}`);
    }
  }
}
