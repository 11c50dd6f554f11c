import type { Architecture } from '../../schemas/architecture.ts';
import type { Vec3 } from '../volume/volume.ts';
import {
  type AttentionWindows,
  attentionWindows,
  MASK_REGIONS,
  maskFeatures,
  mergeIndex,
  partitionIndex,
  positionIndex,
  volumeOf,
  windowsTogether,
} from './attention-windows.ts';
import type { Volume } from './convolutions.ts';
import type { Graph, Ref } from './graph.ts';
import { mergingIndex } from './merging.ts';
import type { ParameterSource } from './parameters.ts';

const EPSILON = 1e-5;

export interface Tokens {
  /** `[cells, channels]`, cells in C order. */
  readonly ref: Ref;
  readonly grid: Vec3;
  readonly channels: number;
}

/** The Swin transformer on the patches of one window (`monai/networks/nets/swin_unetr.py`, `SwinTransformer`). */
export class Transformer {
  readonly #graph: Graph;
  readonly #parameters: ParameterSource;
  readonly #architecture: Architecture;

  constructor(graph: Graph, parameters: ParameterSource, architecture: Architecture) {
    this.#graph = graph;
    this.#parameters = parameters;
    this.#architecture = architecture;
  }

  /** Patches of 2^3 voxels and then the four stages: five hidden states, each half as wide as the one before. */
  hiddenStates(image: Ref, window: Vec3): readonly [Tokens, Tokens, Tokens, Tokens, Tokens] {
    const patches = this.#embed(image, window);
    const first = this.#stage(patches, 0);
    const second = this.#stage(first, 1);
    const third = this.#stage(second, 2);
    return [patches, first, second, third, this.#stage(third, 3)];
  }

  /** A hidden state as a volume, normalised over channels without weights. */
  volume({ ref, grid, channels }: Tokens): Volume {
    const rows = this.#layerNorm(ref, this.#graph.filled(1, channels), this.#graph.filled(0, channels));
    return { grid, channels, as: { rows } };
  }

  #embed(image: Ref, window: Vec3): Tokens {
    const channels = this.#architecture.feature_size;
    const grid: Vec3 = [window[0] / 2, window[1] / 2, window[2] / 2];
    const weight = this.#parameters.get('swinViT.patch_embed.proj.weight');
    const bias = this.#parameters.get('swinViT.patch_embed.proj.bias');
    const patches = this.#graph.node('Conv', [image, weight, bias], { strides: { ints: [2, 2, 2] } });
    const rows = this.#graph.reshape(patches, [channels, volumeOf(grid)]);
    return { ref: this.#graph.transpose(rows, [1, 0]), grid, channels };
  }

  #stage(input: Tokens, stage: 0 | 1 | 2 | 3): Tokens {
    const layer = `swinViT.layers${stage + 1}.0`;
    const depth = this.#architecture.depths[stage];
    const heads = this.#architecture.num_heads[stage];
    let tokens = input;
    for (let block = 0; block < depth; block++) {
      const windows = attentionWindows(tokens.grid, block % 2 === 1);
      tokens = { ...tokens, ref: this.#block(tokens, `${layer}.blocks.${block}`, heads, windows) };
    }
    return this.#merge(tokens, `${layer}.downsample`);
  }

  #block({ ref, channels }: Tokens, name: string, heads: number, windows: AttentionWindows): Ref {
    const attended = this.#attention(this.#affineNorm(ref, `${name}.norm1`), channels, `${name}.attn`, heads, windows);
    const middle = this.#graph.add(ref, attended);
    const wide = this.#linear(this.#affineNorm(middle, `${name}.norm2`), `${name}.mlp.linear1`);
    return this.#graph.add(middle, this.#linear(this.#graph.node('Gelu', [wide]), `${name}.mlp.linear2`));
  }

  /**
   * Attention within windows. Queries, keys and values are made before the partition, one row each cell: padding is a
   * zero row, which still has a bias. Rows go back to the grid before the projection, which padding need not take.
   */
  #attention(normed: Ref, channels: number, name: string, heads: number, windows: AttentionWindows): Ref {
    const graph = this.#graph;
    const count = volumeOf(windows.count);
    const tokens = volumeOf(windows.size);
    const width = channels / heads;
    const rows = this.#partition(normed, `${name}.qkv`, channels, windows);
    const split = graph.transpose(graph.reshape(rows, [count, tokens, 3, heads, width]), [2, 0, 3, 1, 4]);
    const part = (index: number) =>
      graph.gather(
        split,
        graph.constant(`index.${index}`, [], () => Int32Array.of(index)),
      );
    const scale = graph.constant(`scale.${width}`, [], () => Float32Array.of(width ** -0.5));
    const [query, key] = this.#masked(
      graph.node('Mul', [part(0), scale]),
      graph.transpose(part(1), [0, 1, 3, 2]),
      heads,
      windows,
    );
    const attended = this.#attend(query, key, part(2), this.#positionBias(name, heads, tokens), windows, heads);
    const mixed = graph.transpose(attended, [0, 2, 1, 3]);
    return this.#linear(this.#unpartition(graph.reshape(mixed, [count * tokens, channels]), windows), `${name}.proj`);
  }

  /**
   * `softmax(query key + bias) value` for a few windows at a time, so that their scores stay in the processor's cache
   * from the first product to the second.
   */
  #attend(query: Ref, key: Ref, value: Ref, bias: Ref, windows: AttentionWindows, heads: number): Ref {
    const graph = this.#graph;
    const attend = (q: Ref, k: Ref, v: Ref) => {
      const scores = graph.add(graph.matMul(q, k), bias);
      return graph.matMul(graph.node('Softmax', [scores], { axis: { int: -1 } }), v);
    };
    const count = volumeOf(windows.count);
    const together = windowsTogether(windows, heads);
    if (together >= count) return attend(query, key, value);
    const parts: Ref[] = [];
    for (let start = 0; start < count; start += together) {
      const end = Math.min(start + together, count);
      const cut = (rows: Ref) => graph.slice(rows, start, end);
      parts.push(attend(cut(query), cut(key), cut(value)));
    }
    return graph.concat(parts, 0);
  }

  #partition(normed: Ref, qkv: string, channels: number, windows: AttentionWindows): Ref {
    const graph = this.#graph;
    if (volumeOf(windows.count) === 1) return this.#linear(normed, qkv);
    const zero = graph.constant(`zero.${channels}`, [1, channels], () => new Float32Array(channels));
    const rows = this.#linear(graph.concat([normed, zero], 0), qkv);
    const index = graph.constant(`partition.${windowKey(windows)}`, [volumeOf(windows.padded)], () =>
      partitionIndex(windows),
    );
    return graph.gather(rows, index);
  }

  #unpartition(rows: Ref, windows: AttentionWindows): Ref {
    if (volumeOf(windows.count) === 1) return rows;
    const index = this.#graph.constant(`merge.${windowKey(windows)}`, [volumeOf(windows.grid)], () =>
      mergeIndex(windows),
    );
    return this.#graph.gather(rows, index);
  }

  /** Queries `[windows, heads, n, width]` and keys `[windows, heads, width, n]` with the shift mask's features. */
  #masked(query: Ref, key: Ref, heads: number, windows: AttentionWindows): readonly [Ref, Ref] {
    if (windows.shift.every((shift) => shift === 0)) return [query, key];
    const graph = this.#graph;
    const count = volumeOf(windows.count);
    const tokens = volumeOf(windows.size);
    const name = `mask.${windowKey(windows)}`;
    const queryDims = [count, 1, tokens, MASK_REGIONS];
    const keyDims = [count, 1, MASK_REGIONS, tokens];
    const queryFeatures = graph.constant(`${name}.query`, queryDims, () => maskFeatures(windows).query);
    const keyFeatures = graph.constant(`${name}.key`, keyDims, () => maskFeatures(windows).key);
    const everyHead = graph.constant(`heads.${heads}`, [4], () => BigInt64Array.of(1n, BigInt(heads), 1n, 1n));
    const expand = (value: Ref) => graph.node('Expand', [value, everyHead]);
    return [graph.concat([query, expand(queryFeatures)], 3), graph.concat([key, expand(keyFeatures)], 2)];
  }

  /** `[heads, n, n]`; where the table is a constant, onnxruntime computes this once for the session. */
  #positionBias(name: string, heads: number, tokens: number): Ref {
    const graph = this.#graph;
    const table = this.#parameters.get(`${name}.relative_position_bias_table`);
    const index = graph.constant(`position.${tokens}`, [tokens ** 2], () => positionIndex(tokens));
    return graph.reshape(graph.transpose(graph.gather(table, index), [1, 0]), [heads, tokens, tokens]);
  }

  #merge({ ref, grid, channels }: Tokens, name: string): Tokens {
    const graph = this.#graph;
    const merging = this.#architecture.patch_merging;
    const cells = volumeOf(grid);
    const index = graph.constant(`merging.${grid.join('x')}`, [cells], () => mergingIndex(grid, merging));
    const joined = graph.reshape(graph.gather(ref, index), [cells / 8, 8 * channels]);
    const reduced = graph.node('MatMul', [
      this.#affineNorm(joined, `${name}.norm`),
      this.#parameters.fused(`${name}.reduction.weight`),
    ]);
    return { ref: reduced, grid: [grid[0] / 2, grid[1] / 2, grid[2] / 2], channels: 2 * channels };
  }

  #linear(rows: Ref, name: string): Ref {
    return this.#graph.node('Gemm', [
      rows,
      this.#parameters.fused(`${name}.weight`),
      this.#parameters.get(`${name}.bias`),
    ]);
  }

  #affineNorm(rows: Ref, name: string): Ref {
    return this.#layerNorm(rows, this.#parameters.get(`${name}.weight`), this.#parameters.get(`${name}.bias`));
  }

  #layerNorm(rows: Ref, weight: Ref, bias: Ref): Ref {
    return this.#graph.node('LayerNormalization', [rows, weight, bias], { epsilon: { float: EPSILON } });
  }
}

function windowKey({ grid, shift }: AttentionWindows): string {
  return `${grid.join('x')}.${shift.join('x')}`;
}
