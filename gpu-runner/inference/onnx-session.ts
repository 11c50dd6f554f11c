import { basename, dirname } from 'node:path';
import { InferenceSession, listSupportedBackends, Tensor } from 'onnxruntime-node';
import type { Architecture } from '../../schemas/architecture.ts';
import type { SessionKind } from '../adapter/compiled.ts';
import { buildNetwork, IMAGE_INPUT, LOGITS_OUTPUT } from '../network/build.ts';
import { checkFeeds, type Feeds } from '../network/feeds.ts';
import { encodeModel, type Value } from '../network/onnx-proto.ts';
import type { Vec3 } from '../volume/volume.ts';
import { channelBlock } from './channel-block.ts';
import { sessionOptions } from './session-options.ts';
import type { Provider } from './session-types.ts';

/** A network of one base, window and kind, ready to run. */
export interface NetworkSession {
  readonly window: Vec3;
  /** Checks the feeds once and answers the function that takes windows `[in_channels, ...window]` to logits. */
  bind(feeds: Feeds): (image: Float32Array) => Promise<Float32Array>;
  release(): Promise<void>;
}

export interface SessionSpec {
  readonly architecture: Architecture;
  readonly weightsPath: string;
  readonly window: Vec3;
  readonly kind: SessionKind;
}

/** Makes the session of a network. Its constants stay in the weights file, which onnxruntime maps into memory. */
export async function openSession(spec: SessionSpec, provider: Provider, threads: number): Promise<NetworkSession> {
  const { architecture, weightsPath, window, kind } = spec;
  const block = provider === 'cpu' ? await channelBlock() : 0;
  const model = buildNetwork(architecture, window, kind, basename(weightsPath), block);
  const session = await InferenceSession.create(model.bytes, sessionOptions(provider, threads, dirname(weightsPath)));
  assertInputs(session, model.inputs);
  const imageDims = [1, architecture.in_channels, ...window];
  return {
    window,
    bind(feeds) {
      checkFeeds(
        model.inputs.filter(({ name }) => name !== IMAGE_INPUT),
        feeds,
      );
      const tensors = new Map([...feeds].map(([name, { shape, data }]) => [name, floats(data, shape)]));
      return async (image) => {
        const results = await session.run({
          ...Object.fromEntries(tensors),
          [IMAGE_INPUT]: floats(image, imageDims),
        });
        const logits = results[LOGITS_OUTPUT]?.data;
        if (!(logits instanceof Float32Array)) throw new Error('the network answered no float32 logits');
        return logits;
      };
    },
    release: async () => await session.release(),
  };
}

/** A provider that runs here, with a network of one node that shows whether it still does: it throws where it does not. */
export interface FoundProvider {
  readonly provider: Provider;
  readonly probe: () => Promise<void>;
}

/**
 * The first provider that runs a network here, and why the ones before it did not. `known` are those that this build of
 * onnxruntime has: it takes away any other without an error, and the next one would run in its name.
 */
export async function findProvider(
  providers: readonly Provider[],
  known: readonly string[] = listSupportedBackends().map(({ name }) => name),
): Promise<{ found: FoundProvider | null; refused: string[] }> {
  const value: Value = { name: 'in', dims: [1] };
  const node = { op: 'Identity', inputs: ['in'], output: 'out', attributes: {} };
  const model = encodeModel({
    name: 'probe',
    nodes: [node],
    constants: [],
    inputs: [value],
    output: { ...value, name: 'out' },
  });
  const refused: string[] = [];
  for (const provider of providers) {
    if (!known.includes(provider)) {
      refused.push(`${provider}: this build of onnxruntime does not have it`);
      continue;
    }
    try {
      const session = await InferenceSession.create(model, sessionOptions(provider, 1, '.'));
      const probe = async () => void (await session.run({ in: floats(Float32Array.of(1), [1]) }));
      await probe();
      return { found: { provider, probe }, refused };
    } catch (error) {
      refused.push(`${provider}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return { found: null, refused };
}

/** An input that the session does not know would be dropped without a word, so the two lists must be the same. */
function assertInputs(session: InferenceSession, inputs: readonly Value[]): void {
  const built = inputs.map(({ name }) => name).toSorted();
  const found = session.inputNames.toSorted();
  if (built.join('\n') !== found.join('\n')) throw new Error('the session has other inputs than were built');
}

function floats(data: Float32Array, dims: readonly number[]): Tensor {
  return new Tensor('float32', data, dims);
}
