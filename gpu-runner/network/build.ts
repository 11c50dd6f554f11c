import { type Architecture, checkWindow } from '../../schemas/architecture.ts';
import type { SessionKind } from '../adapter/compiled.ts';
import type { Vec3 } from '../volume/volume.ts';
import { Convolutions, type Volume } from './convolutions.ts';
import { Graph, type Ref } from './graph.ts';
import type { Value } from './onnx-proto.ts';
import { type ParameterSource, Parameters } from './parameters.ts';
import { type Tokens, Transformer } from './transformer.ts';

export const IMAGE_INPUT = 'image';
export const LOGITS_OUTPUT = 'logits';

export interface NetworkModel {
  /** The ONNX file; its constants lie in the weights file that `buildNetwork` was told of. */
  readonly bytes: Uint8Array;
  /** Every input, all of them required. A named dimension is chosen by each run. */
  readonly inputs: readonly Value[];
}

/**
 * MONAI's SwinUNETR for one window, `image` [1, in_channels, ...window] to `logits` [1, classes, ...window], as an ONNX
 * graph. Inputs beside the image: the slots of every linear weight, the head, and by `kind` the decoder or every
 * parameter. `weightsFile` is the name, without a folder, of the file that `writeWeights` made; `block` is what
 * `channelBlock` found.
 */
export function buildNetwork(
  architecture: Architecture,
  window: Vec3,
  kind: SessionKind,
  weightsFile: string,
  block = 0,
): NetworkModel {
  const illegal = checkWindow(window);
  if (illegal !== null) throw new Error(`window ${window.join('x')}: ${illegal}`);
  const graph = new Graph();
  const parameters = new Parameters(graph, architecture, kind, weightsFile);
  const image = graph.input(IMAGE_INPUT, [1, architecture.in_channels, ...window]);
  const logits = swinUnetr(graph, parameters, architecture, image, window, block);
  const bytes = graph.encode('SwinUNETR', logits, LOGITS_OUTPUT, [1, 'classes', ...window]);
  return { bytes, inputs: graph.inputs };
}

/** The nodes from `image` to the logits. With a `block` they are for machines with that layout alone. */
export function swinUnetr(
  graph: Graph,
  parameters: ParameterSource,
  a: Architecture,
  image: Ref,
  window: Vec3,
  block: number,
): Ref {
  const transformer = new Transformer(graph, parameters, a);
  const convolutions = new Convolutions(graph, parameters, block);
  const [h0, h1, h2, h3, h4] = transformer.hiddenStates(image, window);
  const encode = (tokens: Tokens, name: string) => convolutions.encode(transformer.volume(tokens), `${name}.layer`);
  const whole: Volume = { grid: window, channels: a.in_channels, as: { plain: image } };
  const skips = [
    transformer.volume(h3),
    ...[h2, h1, h0].map((h, at) => encode(h, `encoder${4 - at}`)),
    convolutions.encodeImage(whole, 'encoder1.layer', a.feature_size),
  ];
  let coarse = encode(h4, 'encoder10');
  for (const [at, skip] of skips.entries()) coarse = convolutions.up(coarse, skip, `decoder${5 - at}`);
  return convolutions.head(coarse);
}
