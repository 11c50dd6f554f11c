import { BLOCKED_DOMAIN, type Blocked, columns, dims, lanes } from './blocked-layout.ts';
import type { Graph, Ref } from './graph.ts';
import type { Attribute } from './onnx-proto.ts';

const EPSILON = 1e-5;
const SLOPE = 0.01;

/** `x scale + shift` normalises, channel by channel. */
interface Norm {
  readonly scale: Ref;
  readonly shift: Ref;
}

interface Sums {
  readonly values: Ref;
  readonly squares: Ref;
}

/** What stands between convolutions, in blocks of channels: instance normalisation and the leaky rectifier. */
export class BlockedNorm {
  readonly #graph: Graph;
  readonly #block: number;

  constructor(graph: Graph, block: number) {
    this.#graph = graph;
    this.#block = block;
  }

  /** Normalised over the volume, channel by channel, with `past` added, and then the leaky rectifier. */
  activated(x: Blocked, past?: Blocked): Blocked {
    const activation = { activation: { string: 'LeakyRelu' }, activation_params: { floats: [SLOPE] } };
    const made = this.#scaled(x, activation, past);
    return x.shifted ? this.#withoutEnds(made) : made;
  }

  normalised(x: Blocked): Blocked {
    return this.#scaled(x, {});
  }

  /** A convolution of its own for each lane, of one voxel: a product, a sum, what is added and an activation in one pass. */
  #scaled(x: Blocked, activation: Record<string, Attribute>, past?: Blocked): Blocked {
    const { scale, shift } = this.#norm(x);
    const graph = this.#graph;
    const every = (values: Ref) => (x.pairs === 2 ? graph.concat([values, values], 0) : values);
    const filter = graph.reshape(every(scale), [lanes(x), 1, 1, 1]);
    const inputs = [x.ref, filter, every(shift), ...(past === undefined ? [] : [past.ref])];
    const attributes = { kernel_shape: { ints: [1, 1] }, group: { int: lanes(x) }, ...activation };
    return { ...x, ref: this.#node('Conv', inputs, attributes) };
  }

  #norm(x: Blocked): Norm {
    const graph = this.#graph;
    const [d, h, w] = x.grid;
    const count = graph.constant(`count.${d * h * w}`, [1], () => Float32Array.of(d * h * w));
    const sums = this.#sums(x);
    const mean = graph.node('Div', [sums.values, count]);
    const square = graph.node('Div', [sums.squares, count]);
    const zero = graph.filled(0, 1);
    const variance = graph.node('Max', [graph.node('Sub', [square, graph.node('Mul', [mean, mean])]), zero]);
    const deviation = graph.node('Sqrt', [graph.add(variance, graph.filled(EPSILON, 1))]);
    const scale = graph.node('Reciprocal', [deviation]);
    return { scale, shift: graph.node('Neg', [graph.node('Mul', [mean, scale])]) };
  }

  /**
   * Of every channel the sum of its values and of their squares, `[channels]` each. A plane that is convolved with itself
   * gives the sum of its squares: lanes of all slices are the groups of one convolution, whose kernels they are too.
   */
  #sums(x: Blocked): Sums {
    const graph = this.#graph;
    const [d, l, h, w] = dims(x);
    const planes = graph.reshape(x.ref, [1, d * l, h, w]);
    const kernels = graph.reshape(x.ref, [d * l, 1, h, w]);
    const area = graph.constant(`count.${h * w}`, [1], () => Float32Array.of(h * w));
    const values = graph.node('Mul', [this.#node('GlobalAveragePool', [planes], {}), area]);
    const squares = this.#node('Conv', [planes, kernels], { kernel_shape: { ints: [h, w] }, group: { int: d * l } });
    const outside = x.shifted ? this.#outside(x) : null;
    const ofChannels = (byPlane: Ref, without: Ref | undefined) => {
      const byLane = this.#sum(graph.reshape(byPlane, [d, l]), [0]);
      const inside = without === undefined ? byLane : graph.node('Sub', [byLane, without]);
      return this.#sum(graph.reshape(inside, [x.pairs, x.channels]), [0]);
    };
    return { values: ofChannels(values, outside?.values), squares: ofChannels(squares, outside?.squares) };
  }

  /** What lies outside the volume where pairs are shifted, `[lanes]` each. */
  #outside(x: Blocked): Sums {
    const graph = this.#graph;
    const block = this.#block;
    const [d, l, h, w] = dims(x);
    const apart = graph.reshape(x.ref, [d, l / block, h, w, block]);
    const ends = graph.concat([graph.slice(apart, 0, 1, 3), graph.slice(apart, w - 1, w, 3)], 3);
    const mask = graph.constant(`outside.${l}`, [l / block, 2, block], () => {
      const outside = new Float32Array(2 * l);
      for (let lane = 0; lane < l; lane++) {
        const end = lane < x.channels ? 0 : 1;
        outside[(Math.floor(lane / block) * 2 + end) * block + (lane % block)] = 1;
      }
      return outside;
    });
    const total = (values: Ref) =>
      graph.reshape(this.#sum(graph.node('Mul', [this.#sum(values, [0, 2]), mask]), [1]), [l]);
    return { values: total(ends), squares: total(graph.node('Mul', [ends, ends])) };
  }

  #sum(values: Ref, axes: readonly number[]): Ref {
    const graph = this.#graph;
    const along = graph.constant(`axes.${axes.join('')}`, [axes.length], () => BigInt64Array.from(axes, BigInt));
    return graph.node('ReduceSum', [values, along], { keepdims: { int: 0 } });
  }

  #withoutEnds(x: Blocked): Blocked {
    const graph = this.#graph;
    const [d, l, h, w] = dims(x);
    const apart = graph.reshape(x.ref, [d, l / this.#block, h, w, this.#block]);
    return { ...x, ref: graph.reshape(graph.node('Mul', [apart, this.#ends(x)]), [d, l, h, w]) };
  }

  /** `[lanes / block, 1, columns, block]`: zero for the two voxels that lie outside. */
  #ends(x: Blocked): Ref {
    const block = this.#block;
    const all = lanes(x);
    const side = columns(x);
    return this.#graph.constant(`ends.${all}.${side}`, [all / block, 1, side, block], () => {
      const inside = new Float32Array(all * side).fill(1);
      for (let lane = 0; lane < all; lane++) {
        const column = lane < x.channels ? 0 : side - 1;
        inside[(Math.floor(lane / block) * side + column) * block + (lane % block)] = 0;
      }
      return inside;
    });
  }

  #node(op: string, inputs: readonly Ref[], attributes: Record<string, Attribute>): Ref {
    return this.#graph.node(op, inputs, attributes, BLOCKED_DOMAIN);
  }
}
