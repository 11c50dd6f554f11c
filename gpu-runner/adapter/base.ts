import { open } from 'node:fs/promises';
import { baseDigestPieces } from '../../schemas/base-digest.ts';
import { BASE_MAX_BYTES } from '../../schemas/limits.ts';
import type { BaseManifest } from '../../schemas/manifest.ts';
import { checkBaseFile } from '../../schemas/rules.ts';
import type { SafetensorsHeader } from '../../schemas/safetensors.ts';
import { invalidFile, readCheckedFile } from './checked-file.ts';
import type { Tensor } from './compiled.ts';
import { sha256Hex } from './sha256.ts';

/** A base that keeps every rule of the format but the self-test. */
export interface Base {
  /** The base digest that adapters name, `sha256:<hex>`. */
  readonly digest: string;
  readonly manifest: BaseManifest;
  /** SHA-256 of the file, bare hex. */
  readonly fileSha256: string;
  /** Every parameter of the network, widened to float32. */
  readonly tensors: ReadonlyMap<string, Tensor>;
}

/** Reads a base from a local file. Throws `invalid_base` with all problems. */
export async function loadBase(path: string): Promise<Base> {
  await using file = await open(path);
  const { size } = await file.stat();
  if (size > BASE_MAX_BYTES) {
    const message = `expected at most ${BASE_MAX_BYTES} bytes, found ${size}`;
    throw invalidFile('invalid_base', [{ code: 'container', path: '', message }]);
  }
  return await readBase(await file.readFile());
}

/**
 * Reads a base: the edge's rules again, every value finite, base digest and SHA-256 computed from the bytes. Gives way
 * to other work between tensors. Throws `invalid_base` with all problems.
 */
export async function readBase(bytes: Uint8Array): Promise<Base> {
  const { header, manifest, tensors, problems } = await readCheckedFile(bytes, checkBaseFile, 'invalid_base');
  if (problems.length > 0) throw invalidFile('invalid_base', problems);
  const digest = `sha256:${await sha256Hex(digestBytes(bytes, header, manifest))}`;
  return { digest, manifest, fileSha256: await sha256Hex([bytes]), tensors };
}

function* digestBytes(bytes: Uint8Array, header: SafetensorsHeader, manifest: BaseManifest): Generator<Uint8Array> {
  for (const piece of baseDigestPieces(manifest.architecture, header)) {
    yield piece instanceof Uint8Array ? piece : bytes.subarray(piece.begin, piece.end);
  }
}
