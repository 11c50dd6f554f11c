import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { crc32 } from 'node:zlib';
import type { FeedableAdapter } from '../network/feeds.ts';
import type { SessionKind, Slot, Tensor } from './compiled.ts';

/** A file of compiled weights, and what it must hold. */
export interface WeightsFile {
  readonly path: string;
  /** Against damage alone: nobody else may write the file, and it is read for every run. */
  readonly crc32: number;
}

/** What stands before the values: `up`, `down`, `cOut` and `cIn` of each slot, then each replaced parameter. */
interface Layout {
  readonly kind: SessionKind;
  readonly slots: readonly { readonly parameter: string; readonly rank: number; readonly shape: [number, number] }[];
  readonly replaced: readonly { readonly parameter: string; readonly shape: readonly number[] }[];
}

/** As much is written at once: an adapter has hundreds of small arrays. */
const PIECE_BYTES = 2 ** 22;
/** The layout's length, a whole number of four bytes. */
const LENGTH_BYTES = 4;

/** Writes a new file that this user alone may read: the adapter's values as they are fed, float32 in this machine's order. */
export async function writeWeightsFile(path: string, adapter: FeedableAdapter): Promise<WeightsFile> {
  let sum = 0;
  await using file = await open(path, 'wx', 0o600);
  for (const piece of joined(pieces(adapter))) {
    sum = crc32(piece, sum);
    for (let at = 0; at < piece.length; ) at += (await file.write(piece, at)).bytesWritten;
  }
  return { path, crc32: sum };
}

/**
 * Reads a file back, in one go: a step more would wait for the windows that block the thread. All arrays lie in one piece
 * of memory. Throws where it is not the file that was written.
 */
export function readWeightsFile(file: WeightsFile): FeedableAdapter {
  const bytes = readFileSync(file.path);
  if (crc32(bytes) !== file.crc32) throw new Error('the file of the weights is not what was written');
  const end = LENGTH_BYTES + bytes.readUInt32LE(0);
  const layout: Layout = JSON.parse(bytes.toString('utf8', LENGTH_BYTES, end));
  let at = bytes.byteOffset + end;
  const take = (length: number): Float32Array => {
    const values = new Float32Array(bytes.buffer, at, length);
    at += values.byteLength;
    return values;
  };
  const slots = new Map<string, Slot>();
  for (const { parameter, rank, shape } of layout.slots) {
    const [out, into] = shape;
    const [up, down] = [take(out * rank), take(rank * into)];
    slots.set(parameter, { parameter, rank, up, down, cOut: take(out), cIn: take(into) });
  }
  const replaced = new Map<string, Tensor>();
  for (const { parameter, shape } of layout.replaced) {
    replaced.set(parameter, { shape, data: take(shape.reduce((product, side) => product * side, 1)) });
  }
  return { kind: layout.kind, slots, replaced };
}

function* pieces({ kind, slots, replaced }: FeedableAdapter): Generator<Uint8Array> {
  const layout: Layout = {
    kind,
    slots: [...slots.values()].map(({ parameter, rank, cOut, cIn }) => {
      return { parameter, rank, shape: [cOut.length, cIn.length] };
    }),
    replaced: [...replaced].map(([parameter, { shape }]) => ({ parameter, shape })),
  };
  const json = Buffer.from(JSON.stringify(layout));
  const head = Buffer.alloc(LENGTH_BYTES + Math.ceil(json.length / LENGTH_BYTES) * LENGTH_BYTES, ' ');
  head.writeUInt32LE(head.length - LENGTH_BYTES);
  json.copy(head, LENGTH_BYTES);
  yield head;
  for (const { up, down, cOut, cIn } of slots.values()) yield* [up, down, cOut, cIn].map(bytesOf);
  for (const { data } of replaced.values()) yield bytesOf(data);
}

/** The same bytes in fewer pieces. */
function* joined(all: Iterable<Uint8Array>): Generator<Uint8Array> {
  let held: Uint8Array[] = [];
  let bytes = 0;
  for (const piece of all) {
    held.push(piece);
    bytes += piece.length;
    if (bytes < PIECE_BYTES) continue;
    yield Buffer.concat(held);
    held = [];
    bytes = 0;
  }
  yield Buffer.concat(held);
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
