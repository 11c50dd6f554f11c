import type { Vec3 } from '../volume/volume.ts';
import { eachCell } from './attention-windows.ts';
import type { Graph, Ref } from './graph.ts';

/** Voxels of the upsampled grid that come from one voxel, and taps of a convolution over that voxel's grid. */
const PARITIES = 8;
const TAPS = 8;
const KERNEL = 27;

/** What `UpsampledConvolution` takes: a volume `[1, from, ...grid]` and the weights that would follow each other. */
export interface Upsampled {
  readonly input: Ref;
  readonly grid: Vec3;
  readonly from: number;
  readonly to: number;
  /** Of the transposed convolution, `[from, to, 2, 2, 2]`. */
  readonly transposed: Ref;
}

/**
 * Convolutions of an upsampled volume that never make it: a transposed convolution (kernel 2, stride 2, no bias) and
 * the convolution behind it are one linear map, in which a voxel of the result depends on 2^3 voxels of the input by
 * weights that its parity chooses. That takes 8 products a voxel and channel in place of 27 + 1. Outside the input
 * both are zero, so the result is the same at the borders too.
 */
export class UpsampledConvolution {
  readonly #graph: Graph;
  readonly #of: Upsampled;

  constructor(graph: Graph, of: Upsampled) {
    this.#graph = graph;
    this.#of = of;
  }

  /** With a kernel of 3^3 `[channels, to, 3, 3, 3]` and one voxel of padding: `[1, channels, ...2 grid]`. */
  cubic(weight: Ref, channels: number): Ref {
    const graph = this.#graph;
    const { input, from, to, transposed } = this.#of;
    const taps = graph.transpose(graph.reshape(weight, [channels, to, KERNEL]), [0, 2, 1]);
    const spread = graph.reshape(graph.transpose(transposed, [1, 0, 2, 3, 4]), [to, from * PARITIES]);
    const pairs = graph.reshape(graph.matMul(taps, spread), [channels, KERNEL, from, PARITIES]);
    const rows = graph.reshape(graph.transpose(pairs, [0, 2, 1, 3]), [channels * from, KERNEL * PARITIES]);
    const choice = graph.constant('upsampled.taps', [KERNEL * PARITIES, PARITIES * TAPS], tapChoice);
    const chosen = graph.reshape(graph.matMul(rows, choice), [channels, from, PARITIES, 2, 2, 2]);
    const kernels = graph.transpose(chosen, [2, 0, 1, 3, 4, 5]);
    const parts: Ref[] = [];
    eachCell([2, 2, 2], (i, j, k) => {
      const kernel = graph.slice(kernels, parts.length, parts.length + 1);
      const own = graph.reshape(kernel, [channels, from, 2, 2, 2]);
      parts.push(graph.node('Conv', [input, own], { pads: { ints: [1 - i, 1 - j, 1 - k, i, j, k] } }));
    });
    return this.#interleave(graph.concat(parts, 0), channels);
  }

  /** With a kernel of 1^3 `[channels, to, 1, 1, 1]`: `[1, channels, ...2 grid]`. */
  pointwise(weight: Ref, channels: number): Ref {
    const graph = this.#graph;
    const { input, from, to, transposed } = this.#of;
    const spread = graph.reshape(graph.transpose(transposed, [1, 0, 2, 3, 4]), [to, from * PARITIES]);
    const product = graph.matMul(graph.reshape(weight, [channels, to]), spread);
    const rows = graph.transpose(graph.reshape(product, [channels, from, PARITIES]), [2, 0, 1]);
    const kernels = graph.reshape(rows, [PARITIES * channels, from, 1, 1, 1]);
    return this.#interleave(graph.node('Conv', [input, kernels]), channels);
  }

  /**
   * `[8, channels, ...grid]` by parity to the upsampled grid. Whole rows are moved; within a row a product with a
   * permutation does it, several times as fast as onnxruntime moves single values, and as exact.
   */
  #interleave(parities: Ref, channels: number): Ref {
    const graph = this.#graph;
    const [ni, nj, nk] = this.#of.grid;
    const apart = graph.reshape(parities, [2, 2, 2, channels, ni, nj, nk]);
    const rows = graph.reshape(graph.transpose(apart, [3, 4, 0, 5, 1, 2, 6]), [channels * 4 * ni * nj, 2 * nk]);
    const permutation = graph.constant(`interleave.${nk}`, [2 * nk, 2 * nk], () => interleaving(nk));
    return graph.reshape(graph.matMul(rows, permutation), [1, channels, 2 * ni, 2 * nj, 2 * nk]);
  }
}

/** Along one axis: the parity and the tap that a voxel of this parity meets with a kernel's place 0, 1 or 2. */
function met(parity: number, place: number): { parity: number; tap: number } {
  const fine = parity + place - 1;
  return { parity: fine & 1, tap: (fine >> 1) + 1 - parity };
}

/** `[27 x 8, 8 x 8]`: which pairs of a kernel's place and a parity add up to each parity's taps. */
function tapChoice(): Float32Array {
  const columns = PARITIES * TAPS;
  const choice = new Float32Array(KERNEL * PARITIES * columns);
  let parity = 0;
  eachCell([2, 2, 2], (i, j, k) => {
    let place = 0;
    eachCell([3, 3, 3], (a, b, c) => {
      const [x, y, z] = [met(i, a), met(j, b), met(k, c)];
      const row = place * PARITIES + 4 * x.parity + 2 * y.parity + z.parity;
      choice[row * columns + parity * TAPS + 4 * x.tap + 2 * y.tap + z.tap] = 1;
      place++;
    });
    parity++;
  });
  return choice;
}

/** `[2 n, 2 n]`: puts the columns of two halves by turns. */
function interleaving(length: number): Float32Array {
  const side = 2 * length;
  const matrix = new Float32Array(side * side);
  for (let half = 0; half < 2; half++) {
    for (let at = 0; at < length; at++) matrix[(half * length + at) * side + 2 * at + half] = 1;
  }
  return matrix;
}
