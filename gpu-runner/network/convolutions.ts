import type { Graph, Ref } from './graph.ts';
import type { ParameterSource } from './parameters.ts';

const EPSILON = 1e-5;
const SLOPE = 0.01;

/** The convolutional half of SwinUNETR (`monai/networks/blocks/{unetr_block,dynunet_block}.py`). */
export class Convolutions {
  readonly #graph: Graph;
  readonly #parameters: ParameterSource;

  constructor(graph: Graph, parameters: ParameterSource) {
    this.#graph = graph;
    this.#parameters = parameters;
  }

  /** `UnetResBlock`: the sum is formed before the last activation; the way past has a convolution where channels change. */
  residual(input: Ref, name: string, channels: number): Ref {
    const first = this.#activate(this.#norm(this.#conv3(input, `${name}.conv1.conv.weight`), channels));
    const second = this.#norm(this.#conv3(first, `${name}.conv2.conv.weight`), channels);
    const past = `${name}.conv3.conv.weight`;
    const skip = this.#parameters.has(past)
      ? this.#norm(this.#graph.node('Conv', [input, this.#parameters.get(past)]), channels)
      : input;
    return this.#activate(this.#graph.add(second, skip));
  }

  /** `UnetrUpBlock`: twice the sides, joined with the encoder's output (upsampled channels first). */
  up(input: Ref, skip: Ref, name: string, channels: number): Ref {
    const weight = this.#parameters.get(`${name}.transp_conv.conv.weight`);
    const larger = this.#graph.node('ConvTranspose', [input, weight], { strides: { ints: [2, 2, 2] } });
    return this.residual(this.#graph.concat([larger, skip], 1), `${name}.conv_block`, channels);
  }

  head(input: Ref): Ref {
    const parameters = [this.#parameters.get('out.conv.conv.weight'), this.#parameters.get('out.conv.conv.bias')];
    return this.#graph.node('Conv', [input, ...parameters]);
  }

  #conv3(input: Ref, weight: string): Ref {
    return this.#graph.node('Conv', [input, this.#parameters.get(weight)], { pads: { ints: [1, 1, 1, 1, 1, 1] } });
  }

  #norm(input: Ref, channels: number): Ref {
    const affine = [this.#graph.filled(1, channels), this.#graph.filled(0, channels)];
    return this.#graph.node('InstanceNormalization', [input, ...affine], { epsilon: { float: EPSILON } });
  }

  #activate(input: Ref): Ref {
    return this.#graph.node('LeakyRelu', [input], { alpha: { float: SLOPE } });
  }
}
