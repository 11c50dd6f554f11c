import type { Vec3 } from '../volume/volume.ts';
import { volumeOf } from './attention-windows.ts';
import { BlockedConvolutions } from './blocked.ts';
import type { Pairs } from './blocked-kernels.ts';
import { type Blocked, pairsFor } from './blocked-layout.ts';
import { BlockedNorm } from './blocked-norm.ts';
import { TILE } from './depth-transform.ts';
import type { Graph, Ref } from './graph.ts';
import type { ParameterSource } from './parameters.ts';
import { PlainConvolutions } from './plain-convolutions.ts';

/** From this many voxels on, blocks are worth the making of their kernels. */
const BLOCKED_CELLS = 13824;

/** A volume: in blocks, as rows of channels `[cells, channels]`, or as it is in MONAI `[1, channels, ...grid]`. */
export interface Volume {
  readonly grid: Vec3;
  readonly channels: number;
  readonly as: { readonly plain: Ref } | { readonly rows: Ref } | { readonly blocked: Blocked };
}

/** The convolutional half of SwinUNETR (`monai/networks/blocks/{unetr_block,dynunet_block}.py`). */
export class Convolutions {
  readonly #graph: Graph;
  readonly #parameters: ParameterSource;
  readonly #plain: PlainConvolutions;
  readonly #blocked: BlockedConvolutions | null;
  readonly #norm: BlockedNorm;
  readonly #block: number;

  /** `block` is how many channels stand together in the layout of the machine's direct convolutions, 0 where it has none. */
  constructor(graph: Graph, parameters: ParameterSource, block: number) {
    this.#graph = graph;
    this.#parameters = parameters;
    this.#plain = new PlainConvolutions(graph, parameters);
    this.#blocked = block === 0 ? null : new BlockedConvolutions(graph, block);
    this.#norm = new BlockedNorm(graph, block);
    this.#block = block;
  }

  /** `UnetrBasicBlock` of a hidden state; channels stay. */
  encode(input: Volume, name: string): Volume {
    const { grid, channels } = input;
    const how = this.#howBlocked(grid, channels);
    if (how === null) return { ...input, as: { plain: this.#plain.residual(this.plain(input), name, channels) } };
    const { blocked, pairs } = how;
    const x = this.#inBlocks(input, pairs);
    const first = blocked.cubic(x, this.#weight(`${name}.conv1`), channels);
    return { ...input, as: { blocked: this.#rest(blocked, first, x, name) } };
  }

  /** `UnetrBasicBlock` of the image. */
  encodeImage(image: Volume, name: string, channels: number): Volume {
    const { grid } = image;
    const how = this.#howBlocked(grid, channels);
    const past = `${name}.conv3`;
    if (how === null || !how.blocked.takesImage(image.channels) || !this.#parameters.has(`${past}.conv.weight`)) {
      return { grid, channels, as: { plain: this.#plain.residual(this.plain(image), name, channels) } };
    }
    const { blocked, pairs } = how;
    const of = blocked.ofImage(this.plain(image), grid, image.channels, channels, pairs);
    const skip = this.#norm.normalised(of.pointwise(this.#weight(past)));
    const made = this.#rest(blocked, of.cubic(this.#weight(`${name}.conv1`)), skip, name);
    return { grid, channels, as: { blocked: made } };
  }

  /** `UnetrUpBlock`: twice the sides, joined with the encoder's output (upsampled channels first). */
  up(coarse: Volume, skip: Volume, name: string): Volume {
    const { grid, channels } = skip;
    const how = this.#howBlocked(grid, channels);
    if (how === null || (2 * coarse.channels) % this.#block !== 0) {
      const input = { input: this.plain(coarse), grid: coarse.grid, from: coarse.channels };
      return { grid, channels, as: { plain: this.#plain.up(input, this.plain(skip), name, channels) } };
    }
    const { blocked, pairs } = how;
    const block = `${name}.conv_block`;
    const transposed = this.#parameters.get(`${name}.transp_conv.conv.weight`);
    const coarseRows = this.#graph.reshape(this.#rows(coarse), [...coarse.grid, coarse.channels]);
    const upsampled = blocked.upsampled(coarseRows, coarse.grid, coarse.channels, transposed, channels, pairs);
    const [cubic, cubicSkip] = this.#halves(`${block}.conv1`, channels);
    const [pointwise, pointwiseSkip] = this.#halves(`${block}.conv3`, channels);
    const x = this.#inBlocks(skip, pairs);
    const past = blocked.pointwise(x, pointwiseSkip, channels, upsampled.pointwise(pointwise));
    const first = blocked.add(blocked.cubic(x, cubicSkip, channels), upsampled.cubic(cubic));
    const made = this.#rest(blocked, first, this.#norm.normalised(past), block);
    return { grid, channels, as: { blocked: made } };
  }

  /** `[1, classes, ...grid]`. */
  head(input: Volume): Ref {
    const graph = this.#graph;
    const [weight, bias] = [this.#parameters.get('out.conv.conv.weight'), this.#parameters.get('out.conv.conv.bias')];
    if (!('blocked' in input.as)) return graph.node('Conv', [this.plain(input), weight, bias]);
    const keep = (dims: readonly number[]) => graph.reshape(weight, dims);
    const product = graph.node('Gemm', [keep([-1, input.channels]), this.#rows(input)], { transB: { int: 1 } });
    const column = graph.reshape(bias, [-1, 1]);
    return graph.reshape(graph.add(product, column), [1, -1, ...input.grid]);
  }

  /** As MONAI has it. */
  plain(volume: Volume): Ref {
    const { as, grid, channels } = volume;
    if ('plain' in as) return as.plain;
    return this.#graph.reshape(this.#graph.transpose(this.#rows(volume), [1, 0]), [1, channels, ...grid]);
  }

  #rows({ as, grid, channels }: Volume): Ref {
    const graph = this.#graph;
    if ('rows' in as) return as.rows;
    const cells = volumeOf(grid);
    if ('plain' in as) return graph.transpose(graph.reshape(as.plain, [channels, cells]), [1, 0]);
    if (this.#blocked === null) throw new Error('a volume lies in blocks that there are none of');
    return graph.reshape(this.#blocked.toRows(as.blocked), [cells, channels]);
  }

  #inBlocks(volume: Volume, pairs: Pairs): Blocked {
    const { as, grid, channels } = volume;
    if ('blocked' in as) return as.blocked;
    if (this.#blocked === null) throw new Error('there are no blocks to lie in');
    return this.#blocked.fromRows(this.#rows(volume), grid, channels, pairs);
  }

  /** From the first convolution's output on; the sum is formed before the last activation. */
  #rest(blocked: BlockedConvolutions, convolved: Blocked, skip: Blocked, name: string): Blocked {
    const first = this.#norm.activated(convolved);
    return this.#norm.activated(blocked.cubic(first, this.#weight(`${name}.conv2`), first.channels), skip);
  }

  #weight(name: string): Ref {
    return this.#parameters.get(`${name}.conv.weight`);
  }

  /** A weight over what was upsampled and over what comes from the encoder. */
  #halves(name: string, channels: number): readonly [Ref, Ref] {
    const weight = this.#weight(name);
    return [this.#graph.slice(weight, 0, channels, 1), this.#graph.slice(weight, channels, 2 * channels, 1)];
  }

  #howBlocked(grid: Vec3, channels: number): { blocked: BlockedConvolutions; pairs: Pairs } | null {
    if (this.#blocked === null || volumeOf(grid) < BLOCKED_CELLS || grid[0] % TILE !== 0) return null;
    const pairs = pairsFor(channels, this.#block);
    return pairs === null ? null : { blocked: this.#blocked, pairs };
  }
}
