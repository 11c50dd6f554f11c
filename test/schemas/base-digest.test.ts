import { describe, expect, it } from 'vitest';
import { baseDigestPieces, canonicalJson } from '../../schemas/base-digest.ts';
import { readHeader } from '../../schemas/safetensors.ts';
import { need } from '../support/faults.ts';
import {
  digestOfBase,
  type FileTensor,
  randomBaseTensors,
  tinyArchitecture,
  tinyBaseManifest,
  writeBase,
  writeSafetensors,
  zeroTensor,
} from '../support/safetensors-file.ts';

const architecture = tinyArchitecture();
const tensors = randomBaseTensors(architecture);
const digest = (list: FileTensor[], overrides = {}) =>
  digestOfBase(writeBase(tinyBaseManifest(overrides), list), architecture);

describe('the canonical JSON of an architecture', () => {
  it('has its keys sorted and no spaces', () => {
    expect(canonicalJson(architecture)).toBe(
      '{"depths":[2,2,2,2],"feature_size":12,"in_channels":1,"network":"SwinUNETR","num_heads":[3,6,12,24],"out_channels":2,"patch_merging":"fixed","window_size":7}',
    );
  });
});

describe('the pieces of a base digest', () => {
  it('go by the bytes of the names, each with dtype, sides and its place in the file', () => {
    // As UTF-16 the emoji would come before U+FFFF.
    const file = writeSafetensors([
      zeroTensor('\u{1f600}', [], 'F32'),
      zeroTensor('\uffff', [2, 3], 'F16'),
      zeroTensor('a.b', [0], 'BF16'),
      zeroTensor('a', [1], 'F32'),
    ]);
    const header = need(readHeader(file, file.byteLength));
    const pieces = [...baseDigestPieces(architecture, header)];
    const shown = pieces.map((piece) => (piece instanceof Uint8Array ? new TextDecoder().decode(piece) : piece.name));
    expect(shown).toEqual([
      canonicalJson(architecture),
      '\0a\0F32\x001\0',
      'a',
      '\0a.b\0BF16\x000\0',
      'a.b',
      '\0\uffff\0F16\x002,3\0',
      '\uffff',
      '\0\u{1f600}\0F32\0\0',
      '\u{1f600}',
    ]);
  });
});

describe('a base digest', () => {
  it('stays when the file is written in another order with another manifest', async () => {
    expect(await digest(tensors.toReversed(), { name: 'renamed', licence: 'x' })).toBe(await digest(tensors));
  });

  it('changes with a weight, a dtype and the architecture', async () => {
    const [first, ...rest] = tensors;
    if (first === undefined) throw new Error('no tensor');
    const weight = new Uint8Array(first.data.byteLength);
    const digests = await Promise.all([
      digest(tensors),
      digest([{ ...first, data: weight }, ...rest]),
      digest([{ ...first, dtype: 'F16', data: weight.subarray(weight.length / 2) }, ...rest]),
      digestOfBase(writeBase(tinyBaseManifest(), tensors), tinyArchitecture({ patch_merging: 'legacy' })),
    ]);
    expect(new Set(digests).size).toBe(4);
  });
});
