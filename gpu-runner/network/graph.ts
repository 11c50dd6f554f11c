import {
  type Attribute,
  type Constant,
  type ConstantData,
  type Dimension,
  encodeModel,
  type Node,
  type Value,
} from './onnx-proto.ts';

/** Name of a value in the graph. */
export type Ref = string;

/** Collects the nodes, constants and inputs of one ONNX graph. Every value is made once and known by its name. */
export class Graph {
  readonly #nodes: Node[] = [];
  readonly #constants = new Map<Ref, Constant>();
  readonly #inputs = new Map<Ref, Value>();

  /** Adds a node with one output and returns the output's name. */
  node(op: string, inputs: readonly Ref[], attributes: Readonly<Record<string, Attribute>> = {}, domain?: string): Ref {
    const output = `${op}.${this.#nodes.length}`;
    this.#nodes.push({ op, inputs, output, attributes, ...(domain === undefined ? {} : { domain }) });
    return output;
  }

  /** A constant inside the model; `make` is called only where no constant of this name exists yet. */
  constant(name: string, dims: readonly number[], make: () => ConstantData): Ref {
    if (!this.#constants.has(name)) this.#constants.set(name, { name, dims, data: make() });
    return name;
  }

  /** A constant of float32 values in a file beside the model. */
  fileConstant(name: string, dims: readonly number[], file: string, offset: number, bytes: number): Ref {
    if (!this.#constants.has(name)) this.#constants.set(name, { name, dims, file, offset, bytes });
    return name;
  }

  /** A required input. */
  input(name: string, dims: readonly Dimension[]): Ref {
    if (!this.#inputs.has(name)) this.#inputs.set(name, { name, dims });
    return name;
  }

  get inputs(): readonly Value[] {
    return [...this.#inputs.values()];
  }

  reshape(value: Ref, dims: readonly number[]): Ref {
    const shape = this.constant(`shape.${dims.join('x')}`, [dims.length], () => BigInt64Array.from(dims, BigInt));
    return this.node('Reshape', [value, shape]);
  }

  transpose(value: Ref, perm: readonly number[]): Ref {
    return this.node('Transpose', [value], { perm: { ints: perm } });
  }

  concat(values: readonly Ref[], axis: number): Ref {
    return this.node('Concat', values, { axis: { int: axis } });
  }

  gather(value: Ref, indices: Ref, axis = 0): Ref {
    return this.node('Gather', [value, indices], { axis: { int: axis } });
  }

  /** The part of a value from `start` to before `end` along one axis. */
  slice(value: Ref, start: number, end: number, axis = 0): Ref {
    const at = (place: number) => this.constant(`at.${place}`, [1], () => BigInt64Array.of(BigInt(place)));
    return this.node('Slice', [value, at(start), at(end), at(axis)]);
  }

  matMul(a: Ref, b: Ref): Ref {
    return this.node('MatMul', [a, b]);
  }

  add(a: Ref, b: Ref): Ref {
    return this.node('Add', [a, b]);
  }

  /** A vector of one value over and over. */
  filled(value: number, length: number): Ref {
    return this.constant(`fill.${value}.${length}`, [length], () => new Float32Array(length).fill(value));
  }

  encode(
    name: string,
    result: Ref,
    outputName: string,
    dims: readonly Dimension[],
    metadata: Readonly<Record<string, string>> = {},
  ): Uint8Array {
    const output = { name: outputName, dims };
    const nodes = [...this.#nodes, { op: 'Identity', inputs: [result], output: outputName, attributes: {} }];
    return encodeModel({
      name,
      nodes,
      constants: [...this.#constants.values()],
      inputs: this.inputs,
      output,
      metadata,
    });
  }
}
