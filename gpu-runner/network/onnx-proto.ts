import { Root } from 'protobufjs';

const repeated = (type: string, id: number) => ({ rule: 'repeated', type, id });
const single = (type: string, id: number) => ({ type, id });

/** The part of onnx.proto that our graphs use: https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
const root = Root.fromJSON({
  nested: {
    ModelProto: {
      fields: {
        irVersion: single('int64', 1),
        producerName: single('string', 2),
        graph: single('GraphProto', 7),
        opsetImport: repeated('OperatorSetIdProto', 8),
        metadataProps: repeated('StringStringEntryProto', 14),
      },
    },
    OperatorSetIdProto: { fields: { domain: single('string', 1), version: single('int64', 2) } },
    GraphProto: {
      fields: {
        node: repeated('NodeProto', 1),
        name: single('string', 2),
        initializer: repeated('TensorProto', 5),
        input: repeated('ValueInfoProto', 11),
        output: repeated('ValueInfoProto', 12),
      },
    },
    NodeProto: {
      fields: {
        input: repeated('string', 1),
        output: repeated('string', 2),
        name: single('string', 3),
        opType: single('string', 4),
        attribute: repeated('AttributeProto', 5),
        domain: single('string', 7),
      },
    },
    AttributeProto: {
      fields: {
        name: single('string', 1),
        f: single('float', 2),
        i: single('int64', 3),
        s: single('bytes', 4),
        floats: repeated('float', 7),
        ints: repeated('int64', 8),
        type: single('int32', 20),
      },
    },
    TensorProto: {
      fields: {
        dims: repeated('int64', 1),
        dataType: single('int32', 2),
        name: single('string', 8),
        rawData: single('bytes', 9),
        externalData: repeated('StringStringEntryProto', 13),
        dataLocation: single('int32', 14),
      },
    },
    StringStringEntryProto: { fields: { key: single('string', 1), value: single('string', 2) } },
    ValueInfoProto: { fields: { name: single('string', 1), type: single('TypeProto', 2) } },
    TypeProto: { fields: { tensorType: single('TensorTypeProto', 1) } },
    TensorTypeProto: { fields: { elemType: single('int32', 1), shape: single('TensorShapeProto', 2) } },
    TensorShapeProto: { fields: { dim: repeated('Dimension', 1) } },
    Dimension: { fields: { dimValue: single('int64', 1), dimParam: single('string', 2) } },
  },
});

const modelProto = root.lookupType('ModelProto');

/** ONNX 1.15 and its IR: the first with Gelu, which stands beside LayerNormalization (17). */
const OPSET = 20;
const IR_VERSION = 9;

const DATA_TYPE = { float32: 1, int32: 6, int64: 7 } as const;
const ATTRIBUTE_TYPE = { float: 1, int: 2, string: 3, floats: 6, ints: 7 } as const;
const EXTERNAL = 1;

/** A fixed length, or the name of one that each run chooses. */
export type Dimension = number | string;

export interface Value {
  readonly name: string;
  readonly dims: readonly Dimension[];
}

export type Attribute =
  | { readonly float: number }
  | { readonly int: number }
  | { readonly string: string }
  | { readonly floats: readonly number[] }
  | { readonly ints: readonly number[] };

export interface Node {
  readonly op: string;
  /** Of the operator; left out, ONNX's own. */
  readonly domain?: string;
  readonly inputs: readonly string[];
  readonly output: string;
  readonly attributes: Readonly<Record<string, Attribute>>;
}

export type ConstantData = Float32Array | Int32Array | BigInt64Array;

/** A constant inside the model, or float32 values in a file beside it. */
export type Constant = { readonly name: string; readonly dims: readonly number[] } & (
  | { readonly data: ConstantData }
  | { readonly file: string; readonly offset: number; readonly bytes: number }
);

export interface Model {
  readonly name: string;
  readonly nodes: readonly Node[];
  readonly constants: readonly Constant[];
  readonly inputs: readonly Value[];
  readonly output: Value;
  /** For people and programs that find the file alone. */
  readonly metadata?: Readonly<Record<string, string>>;
}

/** The ONNX file of a model whose inputs and output are float32. */
export function encodeModel(model: Model): Uint8Array {
  return modelProto
    .encode({
      irVersion: IR_VERSION,
      producerName: 'pdora-serve',
      opsetImport: [{ domain: '', version: OPSET }, ...new Set(model.nodes.flatMap(({ domain }) => domain ?? []))].map(
        (entry) => (typeof entry === 'string' ? { domain: entry, version: 1 } : entry),
      ),
      metadataProps: Object.entries(model.metadata ?? {}).map(([key, value]) => ({ key, value })),
      graph: {
        name: model.name,
        node: model.nodes.map((node) => ({
          name: node.output,
          opType: node.op,
          ...(node.domain === undefined ? {} : { domain: node.domain }),
          input: node.inputs,
          output: [node.output],
          attribute: Object.entries(node.attributes).map(([name, value]) => ({ name, ...attribute(value) })),
        })),
        initializer: model.constants.map(tensor),
        input: model.inputs.map(valueInfo),
        output: [valueInfo(model.output)],
      },
    })
    .finish();
}

function attribute(value: Attribute): object {
  if ('float' in value) return { type: ATTRIBUTE_TYPE.float, f: value.float };
  if ('int' in value) return { type: ATTRIBUTE_TYPE.int, i: value.int };
  if ('string' in value) return { type: ATTRIBUTE_TYPE.string, s: new TextEncoder().encode(value.string) };
  if ('floats' in value) return { type: ATTRIBUTE_TYPE.floats, floats: value.floats };
  return { type: ATTRIBUTE_TYPE.ints, ints: value.ints };
}

function tensor(constant: Constant): object {
  const { name, dims } = constant;
  if ('data' in constant) {
    const { buffer, byteOffset, byteLength } = constant.data;
    return { name, dims, dataType: dataType(constant.data), rawData: new Uint8Array(buffer, byteOffset, byteLength) };
  }
  return {
    name,
    dims,
    dataType: DATA_TYPE.float32,
    dataLocation: EXTERNAL,
    externalData: [
      { key: 'location', value: constant.file },
      { key: 'offset', value: String(constant.offset) },
      { key: 'length', value: String(constant.bytes) },
    ],
  };
}

function dataType(data: ConstantData): number {
  if (data instanceof Float32Array) return DATA_TYPE.float32;
  return data instanceof Int32Array ? DATA_TYPE.int32 : DATA_TYPE.int64;
}

function valueInfo({ name, dims }: Value): object {
  const dim = dims.map((length) => (typeof length === 'number' ? { dimValue: length } : { dimParam: length }));
  return { name, type: { tensorType: { elemType: DATA_TYPE.float32, shape: { dim } } } };
}
