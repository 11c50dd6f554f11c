import { closeSync, openSync, readSync } from 'node:fs';
import { type FileHandle, open, rename } from 'node:fs/promises';
import { type Architecture, baseParameters, isLinearWeight } from '../../schemas/architecture.ts';
import type { Tensor } from '../adapter/compiled.ts';

/** onnxruntime maps a constant into memory without a copy where it starts at a page. */
const PAGE_BYTES = 4096;

/** Where a parameter lies in a weights file, float32; linear weights are `[in, out]` there. */
export interface WeightPlace {
  readonly dims: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

/**
 * The layout of a base's weights file: every parameter as the graph multiplies with it, so that sessions of a base
 * share one memory-mapped file and hold no copy of their own.
 */
export function weightLayout(architecture: Architecture): ReadonlyMap<string, WeightPlace> {
  const places = new Map<string, WeightPlace>();
  let offset = 0;
  for (const [name, shape] of baseParameters(architecture)) {
    const bytes = 4 * shape.reduce((product, length) => product * length, 1);
    places.set(name, { dims: graphDims(name, shape), offset, bytes });
    offset = Math.ceil((offset + bytes) / PAGE_BYTES) * PAGE_BYTES;
  }
  return places;
}

/** The dimensions a parameter has in the graph: linear weights are turned round, all others are MONAI's. */
export function graphDims(name: string, shape: readonly number[]): readonly number[] {
  return isLinearWeight(name) ? shape.toReversed() : shape;
}

/** A parameter as the graph multiplies with it: linear weights are copied to `[in, out]`, all others taken as they are. */
export function graphValues(name: string, { shape, data }: Tensor): Float32Array {
  return isLinearWeight(name) ? transposed(data, shape[0] ?? 0, shape[1] ?? 0) : data;
}

function transposed(data: Float32Array, rows: number, columns: number): Float32Array {
  const turned = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) turned[column * rows + row] = data[row * columns + column] ?? 0;
  }
  return turned;
}

/** Writes a base's weights file; the name appears only when the file is whole. */
export async function writeWeights(
  path: string,
  architecture: Architecture,
  tensors: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const unfinished = `${path}.part`;
  {
    await using file = await open(unfinished, 'w');
    for (const [name, { offset }] of weightLayout(architecture)) {
      const tensor = tensors.get(name);
      if (tensor === undefined) throw new Error(`the base lacks ${name}`);
      await writeFloats(file, graphValues(name, tensor), offset);
    }
  }
  await rename(unfinished, path);
}

/** Reads parameters back from a weights file, in the graph's layout, without giving way to anything else. */
export function readWeights(
  path: string,
  architecture: Architecture,
  names: Iterable<string>,
): Map<string, Float32Array> {
  const layout = weightLayout(architecture);
  const found = new Map<string, Float32Array>();
  const file = openSync(path, 'r');
  try {
    for (const name of names) {
      const place = layout.get(name);
      if (place === undefined) throw new Error(`${name} is no parameter of this network`);
      const values = new Float32Array(place.bytes / 4);
      readFloats(file, values, place.offset);
      found.set(name, values);
    }
  } finally {
    closeSync(file);
  }
  return found;
}

async function writeFloats(file: FileHandle, values: Float32Array, offset: number): Promise<void> {
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, offset + at)).bytesWritten;
  }
}

function readFloats(file: number, into: Float32Array, offset: number): void {
  const bytes = new Uint8Array(into.buffer);
  for (let at = 0; at < bytes.length; ) {
    const bytesRead = readSync(file, bytes, at, bytes.length - at, offset + at);
    if (bytesRead === 0) throw new Error('the weights file ends too early');
    at += bytesRead;
  }
}
