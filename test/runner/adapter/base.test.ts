import { mkdtemp, open, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadBase, readBase } from '../../../gpu-runner/adapter/base.ts';
import { decodeTensor } from '../../../gpu-runner/adapter/tensor-bytes.ts';
import { baseParameters } from '../../../schemas/architecture.ts';
import { BASE_MAX_BYTES } from '../../../schemas/limits.ts';
import {
  digestOfBase,
  randomBaseTensors,
  tinyArchitecture,
  tinyBaseManifest,
  writeBase,
} from '../../support/safetensors-file.ts';
import { PARAMETER, refusal, tinyBaseFile } from './tiny-model.ts';

describe('a base', () => {
  let folder: string;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'pdora-base-'));
  });
  afterAll(async () => {
    await rm(folder, { recursive: true });
  });

  it('has every parameter of its architecture and the digest of the format', async () => {
    const file = tinyBaseFile();
    const path = join(folder, 'base.safetensors');
    await writeFile(path, file);
    const base = await loadBase(path);
    expect(base.digest).toBe(await digestOfBase(file, tinyArchitecture()));
    const shapes = new Map([...base.tensors].map(([name, { shape }]) => [name, shape]));
    expect(shapes).toEqual(new Map(baseParameters(tinyArchitecture())));
  });

  it('keeps its digest when the container changes, and only then', async () => {
    const tensors = randomBaseTensors(tinyArchitecture());
    const saved = await readBase(writeBase(tinyBaseManifest(), tensors));
    const renamed = await readBase(writeBase(tinyBaseManifest({ name: 'renamed' }), tensors.toReversed()));
    expect(renamed.digest).toBe(saved.digest);
    expect(renamed.fileSha256).not.toBe(saved.fileSha256);
    const merged = tinyBaseManifest({ architecture: tinyArchitecture({ patch_merging: 'legacy' }) });
    expect((await readBase(writeBase(merged, tensors))).digest).not.toBe(saved.digest);
  });

  it('is refused with every value that is not finite and every rule of its header', async () => {
    const broken = tinyBaseFile({ [PARAMETER]: new Float32Array(36 * 12).fill(Number.NaN) });
    const values = await refusal(readBase(broken));
    expect(values.code).toBe('invalid_base');
    expect(values.problems).toMatchObject([{ code: 'not_finite', path: PARAMETER }]);
    const tensors = randomBaseTensors(tinyArchitecture()).slice(1);
    const missing = await refusal(readBase(writeBase(tinyBaseManifest(), tensors)));
    expect(missing.problems).toMatchObject([{ code: 'tensors', path: 'swinViT.patch_embed.proj.weight' }]);
  });

  it.each([
    { fault: 'nothing', bytes: new Uint8Array() },
    { fault: 'seven bytes', bytes: new Uint8Array(7) },
    { fault: 'a header without its tensors', bytes: tinyBaseFile().subarray(0, 40_000) },
    { fault: 'no safetensors file', bytes: new Uint8Array(Buffer.from('not a safetensors file at all')) },
  ])('is refused as a container: $fault', async ({ bytes }) => {
    const { code, problems } = await refusal(readBase(bytes));
    expect(code).toBe('invalid_base');
    expect(problems?.every((problem) => problem.code === 'container')).toBe(true);
  });

  it('is refused by its size before it is read', async () => {
    const path = join(folder, 'large.safetensors');
    const file = await open(path, 'w');
    await file.truncate(BASE_MAX_BYTES + 1);
    await file.close();
    expect((await refusal(loadBase(path))).problems).toMatchObject([{ code: 'container', path: '' }]);
  });
});

describe("a tensor's bytes", () => {
  // IEEE 754: 1.5, -2, the largest finite half, the smallest subnormal half, infinity and minus zero.
  const halves = {
    bits: [0x3e00, 0xc000, 0x7bff, 0x0001, 0x7c00, 0x8000],
    values: [1.5, -2, 65504, 2 ** -24, Infinity, -0],
  };
  const brain = {
    bits: [0x3fc0, 0xc000, 0x7f7f, 0x7f80, 0x8000],
    values: [1.5, -2, 2 ** 127 * (2 - 2 ** -7), Infinity, -0],
  };

  it.each([
    { dtype: 'F16' as const, stored: Uint16Array.from(halves.bits), values: halves.values },
    { dtype: 'BF16' as const, stored: Uint16Array.from(brain.bits), values: brain.values },
    {
      dtype: 'F32' as const,
      stored: Float32Array.of(1.5, -2, 3e38, 1e-45),
      values: [1.5, -2, Math.fround(3e38), 2 ** -149],
    },
  ])('are widened from $dtype at any offset, into memory of their own', ({ dtype, stored, values }) => {
    const bytes = new Uint8Array(stored.buffer);
    for (const begin of [0, 1, 2, 3, 5]) {
      const file = Buffer.concat([Buffer.alloc(begin, 0xff), bytes, Buffer.alloc(3, 0xff)]);
      const info = { name: 'x', dtype, shape: [values.length], begin, end: begin + bytes.length };
      const decoded = decodeTensor(file, info);
      expect([...decoded]).toEqual(values);
      file.fill(0);
      expect([...decoded]).toEqual(values);
    }
  });

  it('keep a NaN a NaN', () => {
    const info = { name: 'x', shape: [1], begin: 0, end: 2 };
    for (const [dtype, bits] of [['F16', 0x7e01] as const, ['BF16', 0x7fc1] as const]) {
      const file = new Uint8Array(Uint16Array.of(bits).buffer);
      expect([...decodeTensor(file, { ...info, dtype })]).toEqual([Number.NaN]);
    }
  });
});
