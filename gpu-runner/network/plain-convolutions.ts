import type { Vec3 } from '../volume/volume.ts';
import { volumeOf } from './attention-windows.ts';
import type { Graph, Ref } from './graph.ts';
import type { ParameterSource } from './parameters.ts';
import { UpsampledConvolution } from './upsampling.ts';

const EPSILON = 1e-5;
const SLOPE = 0.01;
/** From this many voxels on, an upsampling folded into what follows is worth the making of its kernels. */
const FOLDED_CELLS = 4096;

/** A volume `[1, from, ...grid]` that is to be upsampled. */
export interface Coarse {
  readonly input: Ref;
  readonly grid: Vec3;
  readonly from: number;
}

/** The blocks of the convolutional half as they are in MONAI, for every machine and number of channels. */
export class PlainConvolutions {
  readonly #graph: Graph;
  readonly #parameters: ParameterSource;

  constructor(graph: Graph, parameters: ParameterSource) {
    this.#graph = graph;
    this.#parameters = parameters;
  }

  /** `UnetResBlock`; the way past has a convolution where channels change. */
  residual(input: Ref, name: string, channels: number): Ref {
    const past = `${name}.conv3.conv.weight`;
    const skip = this.#parameters.has(past)
      ? this.#norm(this.#graph.node('Conv', [input, this.#parameters.get(past)]), channels)
      : input;
    return this.#block(this.#conv3(input, this.#parameters.get(`${name}.conv1.conv.weight`)), skip, name, channels);
  }

  /**
   * `UnetrUpBlock`: twice the sides, joined with the encoder's output (upsampled channels first). What the block's
   * first convolutions make of a join is the sum of what they make of its halves, so nothing is joined.
   */
  up({ input, grid, from }: Coarse, skip: Ref, name: string, channels: number): Ref {
    const graph = this.#graph;
    const transposed = this.#parameters.get(`${name}.transp_conv.conv.weight`);
    const block = `${name}.conv_block`;
    if (volumeOf(grid) < FOLDED_CELLS) {
      const larger = graph.node('ConvTranspose', [input, transposed], { strides: { ints: [2, 2, 2] } });
      return this.residual(graph.concat([larger, skip], 1), block, channels);
    }
    const upsampled = new UpsampledConvolution(graph, { input, grid, from, to: channels, transposed });
    const halves = (weight: Ref) => [0, channels].map((start) => graph.slice(weight, start, start + channels, 1));
    const [cubic = '', cubicSkip = ''] = halves(this.#parameters.get(`${block}.conv1.conv.weight`));
    const [pointwise = '', pointwiseSkip = ''] = halves(this.#parameters.get(`${block}.conv3.conv.weight`));
    const first = graph.add(this.#conv3(skip, cubicSkip), upsampled.cubic(cubic, channels));
    const past = graph.add(graph.node('Conv', [skip, pointwiseSkip]), upsampled.pointwise(pointwise, channels));
    return this.#block(first, this.#norm(past, channels), block, channels);
  }

  /** From the first convolution's output on; the sum is formed before the last activation. */
  #block(convolved: Ref, skip: Ref, name: string, channels: number): Ref {
    const first = this.#activate(this.#norm(convolved, channels));
    const second = this.#norm(this.#conv3(first, this.#parameters.get(`${name}.conv2.conv.weight`)), channels);
    return this.#activate(this.#graph.add(second, skip));
  }

  #conv3(input: Ref, weight: Ref): Ref {
    return this.#graph.node('Conv', [input, weight], { pads: { ints: [1, 1, 1, 1, 1, 1] } });
  }

  #norm(input: Ref, channels: number): Ref {
    const affine = [this.#graph.filled(1, channels), this.#graph.filled(0, channels)];
    return this.#graph.node('InstanceNormalization', [input, ...affine], { epsilon: { float: EPSILON } });
  }

  #activate(input: Ref): Ref {
    return this.#graph.node('LeakyRelu', [input], { alpha: { float: SLOPE } });
  }
}
