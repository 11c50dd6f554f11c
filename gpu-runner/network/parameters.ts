import type { Architecture } from '../../schemas/architecture.ts';
import { isDecoderParameter, isHeadParameter } from '../../schemas/architecture.ts';
import type { SessionKind } from '../adapter/compiled.ts';
import type { Graph, Ref } from './graph.ts';
import { type WeightPlace, weightLayout } from './weights.ts';

/** The slots of a linear weight, in the order and by the names that the graph takes them. */
export const SLOT_ROLES = ['up', 'down', 'c_out', 'c_in'] as const;
export type SlotRole = (typeof SLOT_ROLES)[number];

export function slotName(parameter: string, role: SlotRole): string {
  return `${parameter}::${role}`;
}

/** Whether a session of this kind takes the parameter as an input instead of holding the base's. */
export function isParameterInput(kind: SessionKind, name: string): boolean {
  if (kind === 'all' || isHeadParameter(name)) return true;
  return kind === 'decoder' && isDecoderParameter(name);
}

/** Where a graph takes its parameters from, by MONAI's names and in the graph's layout. */
export interface ParameterSource {
  get(name: string): Ref;
  has(name: string): boolean;
  /** A linear weight `[in, out]` as the task uses it. */
  fused(name: string): Ref;
}

/** Parameters by MONAI's names: constants in the base's weights file, or inputs where the kind of session says so. */
export class Parameters implements ParameterSource {
  readonly #graph: Graph;
  readonly #kind: SessionKind;
  readonly #file: string;
  readonly #layout: ReadonlyMap<string, WeightPlace>;

  constructor(graph: Graph, architecture: Architecture, kind: SessionKind, file: string) {
    this.#graph = graph;
    this.#kind = kind;
    this.#file = file;
    this.#layout = weightLayout(architecture);
  }

  /** A parameter in the graph's layout. The head's first dimension is `classes`, chosen by each run. */
  get(name: string): Ref {
    const place = this.#layout.get(name);
    if (place === undefined) throw new Error(`${name} is no parameter of this network`);
    const { dims, offset, bytes } = place;
    if (!isParameterInput(this.#kind, name)) return this.#graph.fileConstant(name, dims, this.#file, offset, bytes);
    return this.#graph.input(name, isHeadParameter(name) ? ['classes', ...dims.slice(1)] : dims);
  }

  has(name: string): boolean {
    return this.#layout.has(name);
  }

  /**
   * A linear weight `[in, out]` with the adapter's slots fused in: `W' = diag(c_out) W0 diag(c_in) + up down`,
   * everything turned round. The slots are fed as they are compiled (`up` [out, rank], `down` [rank, in]).
   */
  fused(name: string): Ref {
    const w0 = this.get(name);
    const [inputs = 0, outputs = 0] = this.#layout.get(name)?.dims ?? [];
    const rank = `rank:${name}`;
    const up = this.#graph.input(slotName(name, 'up'), [outputs, rank]);
    const down = this.#graph.input(slotName(name, 'down'), [rank, inputs]);
    const cOut = this.#graph.input(slotName(name, 'c_out'), [outputs]);
    const cIn = this.#graph.input(slotName(name, 'c_in'), [inputs, 1]);
    const scaled = this.#graph.node('Mul', [this.#graph.node('Mul', [w0, cOut]), cIn]);
    return this.#graph.node('Gemm', [down, up, scaled], { transA: { int: 1 }, transB: { int: 1 } });
  }
}
