import type { FormatCode } from '../../../schemas/errors.ts';
import { readHeader, type SafetensorsHeader } from '../../../schemas/safetensors.ts';
import { mixed } from '../../support/mixed.ts';

/** An adapter file that is not to be served, and who is to see it. */
export interface DamagedFile {
  /** What was done to it. */
  readonly kind: string;
  readonly bytes: Uint8Array;
  readonly fate: Fate;
}

export type Fate =
  /** Refused at the door with 422 and problems. */
  | { readonly by: 'edge' }
  /** Refused at the door with 400: it is not the file whose digest is sent along. */
  | { readonly by: 'digest'; readonly reprDigest: string }
  /** Stored, and `rejected` with this problem; any problem will do where none is named. */
  | { readonly by: 'runner'; readonly problem: FormatCode | null }
  /** One bit among the weights: rejected, or so small a change that the label map stays what it was but for voxels nearly tied. */
  | { readonly by: 'nobody, perhaps' };

/** A whole number from 0 to below `limit`, the same for a seed on every machine. */
export function choose(seed: number, limit: number): number {
  return Math.min(limit - 1, Math.floor(((mixed(seed) + 1) / 2) * limit));
}

export function flipBit(file: Uint8Array, byte: number, bit: number): Uint8Array {
  return file.with(byte, (file[byte] ?? 0) ^ (1 << bit));
}

export function headerOf(file: Uint8Array): SafetensorsHeader {
  const header = readHeader(file, file.byteLength);
  if (!header.ok) throw new Error(JSON.stringify(header.error));
  return header.value;
}

/** The JSON of a file's header as text, and what follows it. */
export function splitFile(file: Uint8Array): { json: string; data: Uint8Array } {
  const { headerBytes } = headerOf(file);
  return { json: new TextDecoder().decode(file.subarray(8, headerBytes)).trimEnd(), data: file.subarray(headerBytes) };
}
