import { eachCell } from './attention-windows.ts';
import { kernelFactor, POINTS } from './depth-transform.ts';
import type { Graph, Ref } from './graph.ts';

/** Of a row, the voxels whose channels stand together as lanes. */
export type Pairs = 1 | 2;

/** A kernel as values by output and input, `[outputs, inputs, taps]`, and what is to be made of it. */
interface Expansion {
  readonly weight: Ref;
  readonly outputs: number;
  readonly inputs: number;
  readonly taps: number;
  /** Groups, slots of outputs, slots of inputs, and the two sides of the new kernel. */
  readonly to: readonly [number, number, number, number, number];
  /** Names the values below. */
  readonly name: string;
  /** What a tap counts for at a place of `to`. */
  readonly factor: (tap: number, place: readonly [number, number, number, number, number]) => number;
}

const CUBE = 27;
const PARITIES = 8;

/** Kernels for convolutions over lanes, made of MONAI's in the graph: once for a session where those are constants. */
export class BlockedKernels {
  readonly #graph: Graph;
  readonly #block: number;

  constructor(graph: Graph, block: number) {
    this.#graph = graph;
    this.#block = block;
  }

  /** Of 3^3: six points along the first axis, each a kernel of its own over the two others. */
  cubic(weight: Ref, outputs: number, inputs: number, pairs: Pairs): Ref {
    return this.#blocked({
      weight,
      outputs,
      inputs,
      taps: CUBE,
      to: [POINTS, pairs, pairs, 3, pairs === 1 ? 3 : 2],
      name: `points.${pairs}`,
      factor: (tap, [point, out, from, row, column]) => {
        const [a, b, c] = place(tap);
        return b === row && c === alongRow(pairs, out, from, column) ? kernelFactor(point, a) : 0;
      },
    });
  }

  /** Of 3^3 over a few channels that are not in blocks, the three slices that a slice depends on as channels. */
  cubicOfImage(weight: Ref, outputs: number, inputs: number, pairs: Pairs): Ref {
    return this.#ofPlain({
      weight,
      outputs,
      inputs,
      taps: CUBE,
      to: [1, pairs, 3, 3, 2 + pairs],
      name: `image.${pairs}`,
      factor: (tap, [, out, slice, row, column]) => {
        const [a, b, c] = place(tap);
        return a === slice && b === row && c === column - out ? 1 : 0;
      },
    });
  }

  /** Of 1^3 over a few channels that are not in blocks. */
  pointwiseOfImage(weight: Ref, outputs: number, inputs: number, pairs: Pairs): Ref {
    return this.#ofPlain({
      weight,
      outputs,
      inputs,
      taps: 1,
      to: [1, pairs, 1, 1, pairs],
      name: `image.pointwise.${pairs}`,
      factor: (_, [, out, , , column]) => (column === out ? 1 : 0),
    });
  }

  /** Of 1^3: every voxel of a pair by itself. */
  pointwise(weight: Ref, outputs: number, inputs: number, pairs: Pairs): Ref {
    return this.#blocked({
      weight,
      outputs,
      inputs,
      taps: 1,
      to: [1, pairs, pairs, 1, 1],
      name: `pointwise.${pairs}`,
      factor: (_, [, out, from]) => (out === from ? 1 : 0),
    });
  }

  /**
   * A transposed convolution and 3^3 behind it, for the rows of parity `row` and, without pairs, the voxels of parity
   * `column`. Inputs are two slices side by side; slots of outputs are the two fine slices between them, and the two
   * voxels of a pair between two coarse ones.
   */
  upsampledCubic(spread: Upsampling, pairs: Pairs, row: number, column: number): Ref {
    const { products, outputs, inputs } = spread;
    return this.#blocked({
      weight: products,
      outputs,
      inputs,
      taps: CUBE * PARITIES,
      to: [1, 2 * pairs, 2, 2, 2],
      name: `up.${pairs}.${row}.${column}`,
      factor: (tap, [, out, slice, b, c]) => {
        const parities = finePlace(out, pairs, row, pairs === 1 ? column : 1 - (out % pairs));
        const [i, j, k] = place(Math.floor(tap / PARITIES));
        const from = parity(tap % PARITIES);
        const hits = [met(parities[0], i), met(parities[1], j), met(parities[2], k)];
        return hits.every((hit, axis) => hit.parity === from[axis] && hit.tap === [slice, b, c][axis]) ? 1 : 0;
      },
    });
  }

  /**
   * A transposed convolution and 1^3 behind it, in the same way, of `slices` slices side by side of which the first alone
   * counts; slots of outputs are its two fine slices, and the two voxels of a pair, which are those of one coarse voxel.
   */
  upsampledPointwise(spread: Upsampling, pairs: Pairs, slices: 1 | 2, row: number, column: number): Ref {
    const { products, outputs, inputs } = spread;
    return this.#blocked({
      weight: products,
      outputs,
      inputs,
      taps: PARITIES,
      to: [1, 2 * pairs, slices, 1, 1],
      name: `up.pointwise.${pairs}.${slices}.${row}.${column}`,
      factor: (tap, [, out, slice]) => {
        const places = [Math.floor(out / pairs), row, pairs === 1 ? column : out % pairs];
        return slice === 0 && places.every((value, axis) => value === parity(tap)[axis]) ? 1 : 0;
      },
    });
  }

  /** `[outputs, inputs, 27 x 8]` (or `8`): what each place of the kernel behind makes of each parity. */
  spread(transposed: Ref, weight: Ref, from: number, to: number, outputs: number, places: 1 | 27): Upsampling {
    const graph = this.#graph;
    const taps = graph.transpose(graph.reshape(weight, [outputs, to, places]), [0, 2, 1]);
    const parities = graph.reshape(graph.transpose(transposed, [1, 0, 2, 3, 4]), [to, from * PARITIES]);
    const pairs = graph.reshape(graph.matMul(taps, parities), [outputs, places, from, PARITIES]);
    return { products: graph.transpose(pairs, [0, 2, 1, 3]), outputs, inputs: from };
  }

  /** Blocks of outputs, blocks of inputs, the kernel, inputs of a block, outputs of a block. */
  #blocked(expansion: Expansion): Ref {
    const graph = this.#graph;
    const block = this.#block;
    const { outputs, inputs, to } = expansion;
    const [groups, outs, ins, rows, columns] = to;
    const [lanesOut, lanesIn] = [groups * outs * outputs, ins * inputs];
    const plain = this.#expanded(expansion);
    const split = graph.reshape(plain, [lanesOut / block, block, lanesIn / block, block, rows, columns]);
    return graph.reshape(graph.transpose(split, [0, 2, 4, 5, 3, 1]), [lanesOut, lanesIn, rows, columns]);
  }

  #ofPlain(expansion: Expansion): Ref {
    const graph = this.#graph;
    const block = this.#block;
    const { outputs, inputs, to } = expansion;
    const [, outs, ins, rows, columns] = to;
    const plain = this.#expanded(expansion);
    const split = graph.reshape(plain, [(outs * outputs) / block, block, ins * inputs, rows, columns]);
    return graph.reshape(graph.transpose(split, [0, 2, 3, 4, 1]), [outs * outputs, ins * inputs, rows, columns]);
  }

  /** `[groups, slots x outputs, slots x inputs, rows, columns]`. */
  #expanded({ weight, outputs, inputs, taps, to, name, factor }: Expansion): Ref {
    const graph = this.#graph;
    const width = to.reduce((product, length) => product * length, 1);
    const factors = graph.constant(`kernel.${name}`, [taps, width], () => {
      const matrix = new Float32Array(taps * width);
      eachPlace(to, (at, column) => {
        for (let tap = 0; tap < taps; tap++) matrix[tap * width + column] = factor(tap, at);
      });
      return matrix;
    });
    const rows = graph.reshape(weight, [outputs * inputs, taps]);
    const expanded = graph.reshape(graph.matMul(rows, factors), [outputs, inputs, ...to]);
    return graph.transpose(expanded, [2, 3, 0, 4, 1, 5, 6]);
  }
}

/** Products of a transposed convolution's weight with that of the convolution behind it. */
export interface Upsampling {
  readonly products: Ref;
  readonly outputs: number;
  readonly inputs: number;
}

/**
 * The kernel's place along a row. Pairs of an input lie one voxel off the pairs of the output, so that the four voxels
 * that an output's pair depends on are two whole pairs.
 */
function alongRow(pairs: Pairs, out: number, from: number, column: number): number {
  return pairs === 1 ? column : 2 * column + from - out;
}

/** Parities of a slot of outputs: the first fine slice between two coarse ones is the odd one of the slice before. */
function finePlace(out: number, pairs: Pairs, row: number, column: number): [number, number, number] {
  return [1 - Math.floor(out / pairs), row, column];
}

/** Along one axis: the parity and the tap that a voxel of this parity meets with a kernel's place 0, 1 or 2. */
function met(of: number, at: number): { parity: number; tap: number } {
  const fine = of + at - 1;
  return { parity: fine & 1, tap: (fine >> 1) + 1 - of };
}

function place(tap: number): [number, number, number] {
  return [Math.floor(tap / 9), Math.floor(tap / 3) % 3, tap % 3];
}

function parity(at: number): [number, number, number] {
  return [at >> 2, (at >> 1) & 1, at & 1];
}

/** Calls back for every place in C order, with its number. */
function eachPlace(
  [groups, outs, ins, rows, columns]: Expansion['to'],
  visit: (at: Expansion['to'], n: number) => void,
) {
  let n = 0;
  eachCell([groups, outs, ins], (g, o, i) => {
    eachCell([1, rows, columns], (_, r, c) => visit([g, o, i, r, c], n++));
  });
}
