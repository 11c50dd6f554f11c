import type { Vec3 } from '../volume/volume.ts';
import { BlockedKernels, type Pairs } from './blocked-kernels.ts';
import { BLOCKED_DOMAIN, type Blocked, dims, lanes } from './blocked-layout.ts';
import { forwardMatrices, inverseMatrix, POINTS, TILE, tileSlices } from './depth-transform.ts';
import type { Graph, Ref } from './graph.ts';
import type { Attribute } from './onnx-proto.ts';

/**
 * Tiles that go through a convolution at once. What lies between is three times as large as what they are made of: with
 * all 24 of a window of 96^3 together, its session takes half as much memory again.
 */
const TILES_TOGETHER = 4;

/** Convolutions in blocks of channels. */
export class BlockedConvolutions {
  readonly #graph: Graph;
  readonly #block: number;
  readonly #kernels: BlockedKernels;

  constructor(graph: Graph, block: number) {
    this.#graph = graph;
    this.#block = block;
    this.#kernels = new BlockedKernels(graph, block);
  }

  /** Whether images of so many channels are taken as they are. */
  takesImage(channels: number): boolean {
    return 3 * channels < this.#block;
  }

  /** From `[d, h, w, channels]`. */
  fromRows(rows: Ref, grid: Vec3, channels: number, pairs: Pairs): Blocked {
    const blocked: Blocked = { ref: '', grid, channels, pairs, shifted: false };
    const [d, l, h, w] = dims(blocked);
    const joined = this.#graph.reshape(rows, [d, h, w, l]);
    return { ...blocked, ref: this.#node('ReorderInput', [joined], { channels_last: { int: 1 } }) };
  }

  /** `[d, h, w, channels]`. */
  toRows(x: Blocked): Ref {
    const attributes = { channels: { int: lanes(x) }, channels_last: { int: 1 } };
    const rows = this.#node('ReorderOutput', [x.ref], attributes);
    return this.#graph.reshape(rows, [...x.grid, x.channels]);
  }

  /** A convolution of 3^3; pairs come out shifted where they were not, and the other way round. */
  cubic(x: Blocked, weight: Ref, channels: number): Blocked {
    const graph = this.#graph;
    const tiles = x.grid[0] / TILE;
    const kernel = this.#kernels.cubic(weight, channels, x.channels, x.pairs);
    const made: Blocked = { ...x, ref: '', channels, shifted: x.pairs === 2 && !x.shifted };
    const parts: Ref[] = [];
    for (let start = 0; start < tiles; start += TILES_TOGETHER) {
      parts.push(this.#tiles(x, made, kernel, start, Math.min(start + TILES_TOGETHER, tiles)));
    }
    const [only = ''] = parts;
    const slices = parts.length === 1 ? only : graph.concat(parts, 0);
    return { ...made, ref: graph.reshape(slices, dims(made)) };
  }

  /** Some tiles of a convolution, `[slices, ...]`. */
  #tiles(x: Blocked, made: Blocked, kernel: Ref, start: number, end: number): Ref {
    const graph = this.#graph;
    const depth = x.grid[0];
    const tiles = end - start;
    const [, l, h, w] = dims(x);
    const [, ...slice] = dims(made);
    const name = `${depth}.${start}.${end}`;
    const index = graph.constant(`tiles.${name}`, [tiles * POINTS], () =>
      tileSlices(depth).subarray(start * POINTS, end * POINTS),
    );
    const forward = graph.constant(`forward.${name}`, [tiles, POINTS, POINTS], () =>
      forwardMatrices(depth).subarray(start * POINTS ** 2, end * POINTS ** 2),
    );
    const taken = graph.reshape(graph.gather(graph.reshape(x.ref, [depth, l * h * w]), index), [
      tiles,
      POINTS,
      l * h * w,
    ]);
    const points = graph.reshape(graph.matMul(forward, taken), [tiles, POINTS * l, h, w]);
    const side = x.pairs === 1 || made.shifted ? 1 : 0;
    const products = this.#node('Conv', [points, kernel], {
      kernel_shape: { ints: [3, x.pairs === 1 ? 3 : 2] },
      pads: { ints: [1, side, 1, side] },
      group: { int: POINTS },
    });
    const inverse = graph.constant('inverse', [TILE, POINTS], inverseMatrix);
    const size = slice.reduce((product, length) => product * length, 1);
    return graph.reshape(graph.matMul(inverse, graph.reshape(products, [tiles, POINTS, size])), [tiles * TILE, size]);
  }

  /** A convolution of 1^3, added to `sum` where there is one. */
  pointwise(x: Blocked, weight: Ref, channels: number, sum?: Blocked): Blocked {
    const kernel = this.#kernels.pointwise(weight, channels, x.channels, x.pairs);
    const inputs = [x.ref, kernel, ...(sum === undefined ? [] : ['', sum.ref])];
    return { ...x, channels, ref: this.#node('Conv', inputs, { kernel_shape: { ints: [1, 1] } }) };
  }

  /** Of an image `[1, channels, ...grid]`: convolutions of 3^3, shifted where there are pairs, and of 1^3. */
  ofImage(image: Ref, grid: Vec3, from: number, channels: number, pairs: Pairs): OfImage {
    const graph = this.#graph;
    const [d, h, w] = grid;
    const slices = graph.transpose(image, [1, 0, 2, 3, 4]);
    const plain = graph.reshape(graph.transpose(graph.reshape(slices, [from, d, h, w]), [1, 0, 2, 3]), [d, from, h, w]);
    const blocked: Blocked = { ref: '', grid, channels, pairs, shifted: false };
    return {
      cubic: (weight) => {
        const three = this.#neighbours(plain, grid, [from, h, w], 3, 1);
        const attributes = {
          kernel_shape: { ints: [3, 2 + pairs] },
          strides: { ints: [1, pairs] },
          pads: { ints: [1, pairs, 1, pairs] },
        };
        const kernel = this.#kernels.cubicOfImage(weight, channels, from, pairs);
        return { ...blocked, ref: this.#node('Conv', [three, kernel], attributes), shifted: pairs === 2 };
      },
      pointwise: (weight) => {
        const attributes = { kernel_shape: { ints: [1, pairs] }, strides: { ints: [1, pairs] } };
        const kernel = this.#kernels.pointwiseOfImage(weight, channels, from, pairs);
        return { ...blocked, ref: this.#node('Conv', [plain, kernel], attributes) };
      },
    };
  }

  /** Of a coarse volume `[d, h, w, from]` and the transposed convolution that would make it larger. */
  upsampled(rows: Ref, grid: Vec3, from: number, transposed: Ref, channels: number, pairs: Pairs): OfUpsampled {
    const [d, h, w] = grid;
    const two = this.#neighbours(rows, grid, [h, w, from], 2, 3);
    const blocked = (values: Ref) => this.#node('ReorderInput', [values], { channels_last: { int: 1 } });
    const input = blocked(two);
    // A slice alone, where its channels fill blocks; else with the one behind it, which counts for nothing.
    const slices = from % this.#block === 0 ? 1 : 2;
    const own = slices === 1 ? blocked(this.#graph.reshape(rows, [d, h, w, from])) : this.#graph.slice(input, 1, d + 1);
    const fine: Vec3 = [2 * d, 2 * h, 2 * w];
    const made: Blocked = { ref: '', grid: fine, channels, pairs, shifted: false };
    const spread = (weight: Ref, places: 1 | 27) =>
      this.#kernels.spread(transposed, weight, from, channels, channels, places);
    return {
      cubic: (weight) => {
        const products = spread(weight, 27);
        const shifted = { ...made, shifted: pairs === 2 };
        const all = this.#woven(shifted, fine[0] + 2, (row, column) =>
          this.#node('Conv', [input, this.#kernels.upsampledCubic(products, pairs, row, column)], {
            kernel_shape: { ints: [2, 2] },
            pads: { ints: [1 - row, pairs === 2 ? 1 : 1 - column, row, pairs === 2 ? 1 : column] },
          }),
        );
        // Two slices at either end of the coarse ones make one each beyond the fine ones.
        return { ...all, ref: this.#graph.slice(all.ref, 1, fine[0] + 1) };
      },
      pointwise: (weight) => {
        const products = spread(weight, 1);
        return this.#woven(made, fine[0], (row, column) =>
          this.#node('Conv', [own, this.#kernels.upsampledPointwise(products, pairs, slices, row, column)], {
            kernel_shape: { ints: [1, 1] },
          }),
        );
      },
    };
  }

  add(a: Blocked, b: Blocked): Blocked {
    return { ...a, ref: this.#graph.add(a.ref, b.ref) };
  }

  /** Each slice with those around it, zero beyond the ends, joined along an axis of channels. */
  #neighbours(slices: Ref, [d]: Vec3, one: readonly number[], together: 2 | 3, axis: number): Ref {
    const graph = this.#graph;
    const outside = graph.constant(
      `outside.${one.join('x')}`,
      [1, ...one],
      () => new Float32Array(one.reduce((product, length) => product * length, 1)),
    );
    const padded = graph.concat([outside, slices, outside], 0);
    const many = d + 3 - together;
    return graph.concat(
      Array.from({ length: together }, (_, at) => graph.slice(padded, at, at + many)),
      axis,
    );
  }

  /** `slices` of a volume from parts: rows, and without pairs the voxels of a row, by turns. */
  #woven(made: Blocked, slices: number, part: (row: number, column: number) => Ref): Blocked {
    const graph = this.#graph;
    const block = this.#block;
    const [, l, h, w] = dims(made);
    const rowsOf = (row: number): Ref => {
      const many = slices * (l / block) * (h / 2);
      if (made.pairs === 2) return graph.reshape(part(row, 0), [many, 1, w * block]);
      const [even, odd] = [part(row, 0), part(row, 1)].map((half) => graph.reshape(half, [(many * w) / 2, 1, block]));
      return graph.reshape(graph.concat([even ?? '', odd ?? ''], 1), [many, 1, w * block]);
    };
    return { ...made, ref: graph.reshape(graph.concat([rowsOf(0), rowsOf(1)], 1), [slices, l, h, w]) };
  }

  #node(op: string, inputs: readonly Ref[], attributes: Record<string, Attribute>): Ref {
    return this.#graph.node(op, inputs, attributes, BLOCKED_DOMAIN);
  }
}

export interface OfImage {
  cubic(weight: Ref): Blocked;
  pointwise(weight: Ref): Blocked;
}

export interface OfUpsampled {
  cubic(weight: Ref): Blocked;
  pointwise(weight: Ref): Blocked;
}
