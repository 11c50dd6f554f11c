import type { Architecture } from '../../schemas/architecture.ts';
import { baseParameters, lowRankParameters } from '../../schemas/architecture.ts';
import { ServiceError } from '../../schemas/errors.ts';
import type { CompiledAdapter, SessionKind, Tensor } from '../adapter/compiled.ts';
import type { Value } from './onnx-proto.ts';
import { isParameterInput, type SlotRole, slotName } from './parameters.ts';
import { graphDims, graphValues } from './weights.ts';

/** Parameters in the graph's layout, as `readWeights` gives them. */
export type BaseParameters = ReadonlyMap<string, Float32Array>;
export type Feeds = ReadonlyMap<string, Tensor>;
/** What of an adapter the network sees. */
export type FeedableAdapter = Pick<CompiledAdapter, 'kind' | 'slots' | 'replaced'>;

function inputParameters(architecture: Architecture, kind: SessionKind): string[] {
  return [...baseParameters(architecture).keys()].filter((name) => isParameterInput(kind, name));
}

/** The parameters that a session of the adapter's kind takes as inputs and that come from the base. */
export function baseFed(architecture: Architecture, adapter: FeedableAdapter | null): string[] {
  const inputs = inputParameters(architecture, adapter?.kind ?? 'head');
  return inputs.filter((name) => adapter?.replaced.has(name) !== true);
}

/**
 * Everything a session of the adapter's kind is fed beside the image: slots that leave untouched layers as they are
 * (`up` and `down` 0, `c` 1), and the base's own parameters wherever the adapter replaces none.
 */
export function adapterFeeds(architecture: Architecture, adapter: FeedableAdapter | null, base: BaseParameters): Feeds {
  const shapes = baseParameters(architecture);
  const feeds = new Map<string, Tensor>();
  for (const parameter of lowRankParameters(architecture)) {
    const [outputs = 0, inputs = 0] = shapes.get(parameter) ?? [];
    const slot = adapter?.slots.get(parameter);
    const rank = slot?.rank ?? 1;
    const feed = (role: SlotRole, shape: number[], data: Float32Array) =>
      feeds.set(slotName(parameter, role), { shape, data });
    feed('up', [outputs, rank], slot?.up ?? new Float32Array(outputs));
    feed('down', [rank, inputs], slot?.down ?? new Float32Array(inputs));
    feed('c_out', [outputs], slot?.cOut ?? new Float32Array(outputs).fill(1));
    feed('c_in', [inputs, 1], slot?.cIn ?? new Float32Array(inputs).fill(1));
  }
  for (const parameter of inputParameters(architecture, adapter?.kind ?? 'head')) {
    const replaced = adapter?.replaced.get(parameter);
    const shape = replaced?.shape ?? shapes.get(parameter) ?? [];
    const data = replaced === undefined ? base.get(parameter) : graphValues(parameter, replaced);
    if (data === undefined) throw new Error(`nothing to feed for ${parameter}`);
    feeds.set(parameter, { shape: graphDims(parameter, shape), data });
  }
  refuseUnused(architecture, adapter);
  return feeds;
}

/** onnxruntime drops what it does not know without a word, and the base would answer in the adapter's name. */
function refuseUnused(architecture: Architecture, adapter: FeedableAdapter | null): void {
  if (adapter === null) return;
  const linear = lowRankParameters(architecture);
  const inputs = new Set(inputParameters(architecture, adapter.kind));
  const unused = [
    ...[...adapter.slots.keys()].filter((name) => !linear.has(name)),
    ...[...adapter.replaced.keys()].filter((name) => !inputs.has(name)),
  ];
  if (unused.length > 0) throw refused(`the session has no input for ${unused.join(', ')}`);
}

/**
 * Checks feeds against a session's inputs: none missing, none left over, lengths as built, named lengths the same
 * wherever they stand, every value finite. onnxruntime checks neither names nor values.
 */
export function checkFeeds(inputs: readonly Value[], feeds: Feeds): void {
  const expected = new Map(inputs.map((input) => [input.name, input]));
  const strangers = [...feeds.keys()].filter((name) => !expected.has(name));
  if (strangers.length > 0) throw refused(`the session has no input for ${strangers.join(', ')}`);
  const chosen = new Map<string, number>();
  for (const input of inputs) {
    const feed = feeds.get(input.name);
    if (feed === undefined) throw refused(`nothing is fed for ${input.name}`);
    checkShape(input, feed, chosen);
    if (!allFinite(feed.data)) throw refused(`${input.name} holds a value that is not finite`);
  }
}

export function allFinite(values: Float32Array): boolean {
  // By index: over millions of values, an iterator takes several times as long.
  for (let at = 0; at < values.length; at += 1) {
    const value = values[at] ?? 0;
    if (value - value !== 0) return false;
  }
  return true;
}

function checkShape({ name, dims }: Value, { shape, data }: Tensor, chosen: Map<string, number>): void {
  const wanted = dims.map((dim, axis) => {
    if (typeof dim === 'number') return dim;
    const length = chosen.get(dim) ?? shape[axis] ?? 0;
    chosen.set(dim, length);
    return length;
  });
  const fits = wanted.length === shape.length && wanted.every((length, axis) => length > 0 && length === shape[axis]);
  if (!fits) throw refused(`${name}: expected [${wanted.join(', ')}], found [${shape.join(', ')}]`);
  const count = wanted.reduce((product, length) => product * length, 1);
  if (data.length !== count) throw refused(`${name}: expected ${count} values, found ${data.length}`);
}

function refused(message: string): ServiceError {
  return new ServiceError('invalid_adapter', `The adapter cannot be fed: ${message}.`);
}
