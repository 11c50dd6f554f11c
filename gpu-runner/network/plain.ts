import { type Architecture, checkWindow } from '../../schemas/architecture.ts';
import { ServiceError } from '../../schemas/errors.ts';
import type { Tensor } from '../adapter/compiled.ts';
import type { Vec3 } from '../volume/volume.ts';
import { IMAGE_INPUT, LOGITS_OUTPUT, swinUnetr } from './build.ts';
import { Graph, type Ref } from './graph.ts';
import type { ParameterSource } from './parameters.ts';
import { graphDims, graphValues } from './weights.ts';

/** protobuf holds no larger message. */
const MODEL_MAX_BYTES = 2 ** 31 - 1;
/** What nodes and index tables take beside the weights: generously, a window of 192^3 has 30 MB of them. */
const GRAPH_BYTES = 64 * 2 ** 20;

/**
 * MONAI's SwinUNETR for one window as an ONNX model that stands alone: all of `weights` inside, as `fusedParameters`
 * gives them, `image` [1, in_channels, ...window] the only input, `logits` [1, classes, ...window] the only output.
 * Throws `too_large` above what one file can hold.
 */
export function buildPlainNetwork(
  architecture: Architecture,
  window: Vec3,
  weights: ReadonlyMap<string, Tensor>,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const illegal = checkWindow(window);
  if (illegal !== null) throw new Error(`window ${window.join('x')}: ${illegal}`);
  const bytes = [...weights.values()].reduce((total, { data }) => total + data.byteLength, 0);
  if (bytes + GRAPH_BYTES > MODEL_MAX_BYTES) {
    const most = MODEL_MAX_BYTES - GRAPH_BYTES;
    throw new ServiceError('too_large', `the weights take ${bytes} bytes; one ONNX file holds at most ${most}`);
  }
  const graph = new Graph();
  const image = graph.input(IMAGE_INPUT, [1, architecture.in_channels, ...window]);
  const logits = swinUnetr(graph, new Constants(graph, weights), architecture, image, window, 0);
  const classes = weights.get('out.conv.conv.bias')?.data.length ?? architecture.out_channels;
  return graph.encode('SwinUNETR', logits, LOGITS_OUTPUT, [1, classes, ...window], metadata);
}

/** Every parameter a constant inside the model; what was fused is taken as it is. */
class Constants implements ParameterSource {
  readonly #graph: Graph;
  readonly #weights: ReadonlyMap<string, Tensor>;

  constructor(graph: Graph, weights: ReadonlyMap<string, Tensor>) {
    this.#graph = graph;
    this.#weights = weights;
  }

  get(name: string): Ref {
    const tensor = this.#weights.get(name);
    if (tensor === undefined) throw new Error(`${name} is no parameter of this network`);
    return this.#graph.constant(name, graphDims(name, tensor.shape), () => graphValues(name, tensor));
  }

  has(name: string): boolean {
    return this.#weights.has(name);
  }

  fused(name: string): Ref {
    return this.get(name);
  }
}
