import { problemSchema } from '../../../schemas/api.ts';
import { noiseVolume, type SmallModel, smallModel } from '../../support/small-model.ts';
import { type Cluster, type System, startSystem } from './system.ts';

/** A system that serves a base of a tenth of a second a window; a tenant's adapter `good` is ready on it. */
export interface SmallSystem extends System {
  readonly model: SmallModel;
  /** Of the tenant `hospital`, with every scope. */
  readonly key: string;
  /** The file of `good`. */
  readonly good: Uint8Array;
  segment(query: string, body: Uint8Array | FormData, key?: string): Promise<Response>;
  /** The label map of a small volume by `good`, byte for byte the same whatever happened before. */
  goodLabels(): Promise<Buffer>;
}

export async function startSmallSystem(environment: Readonly<Record<string, string>> = {}): Promise<SmallSystem> {
  const [system, model, volume] = await Promise.all([
    startSystem(environment),
    smallModel(),
    noiseVolume([24, 28, 40]),
  ]);
  try {
    await serveBase(system, model);
    const key = await system.makeTenant('hospital');
    const { bytes: good } = await model.adapter();
    await pushReady(system, key, 'good', good);
    const segment = (query: string, body: Uint8Array | FormData, by = key) =>
      system.edge.call('POST', `/v1/segmentations?${query}`, { key: by, body });
    const goodLabels = async () => labelMap(await segment('adapter=good', volume));
    return { ...system, model, key, good, segment, goodLabels };
  } catch (error) {
    await system.close();
    throw error;
  }
}

export async function serveBase({ edge }: Pick<Cluster, 'edge'>, { base }: Pick<SmallModel, 'base'>): Promise<void> {
  const reply = await edge.call('POST', '/v1/bases', { body: base.bytes });
  if (reply.status !== 201) throw new Error(`base: ${reply.status} ${await reply.text()}`);
}

export async function pushReady(
  system: Pick<Cluster, 'push'>,
  key: string,
  name: string,
  file: Uint8Array,
): Promise<void> {
  const { status, problems } = await system.push(key, name, file);
  if (status !== 'ready') throw new Error(`${name}: ${JSON.stringify(problems)}`);
}

/** The bytes of a reply that must be a label map. */
export async function labelMap(reply: Response): Promise<Buffer> {
  if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
  return Buffer.from(await reply.arrayBuffer());
}

/** The problem document of a reply, with what every error of the API has. */
export async function problemOf(reply: Response) {
  if (reply.headers.get('content-type') !== 'application/problem+json') {
    throw new Error(`expected a problem, found ${reply.status} ${await reply.text()}`);
  }
  const problem = problemSchema.parse(await reply.json());
  if (problem.status !== reply.status) throw new Error(`the problem says ${problem.status}, the reply ${reply.status}`);
  if (problem.request_id !== reply.headers.get('x-request-id')) throw new Error('the problem names another request');
  if (problem.detail === '') throw new Error('the problem does not say what is wrong');
  return problem;
}
