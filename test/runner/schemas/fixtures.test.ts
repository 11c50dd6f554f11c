import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, expect, it } from 'vitest';
import { z } from 'zod';
import { type Architecture, baseParameters, lowRankParameters } from '../../../schemas/architecture.ts';
import { baseDigestPieces } from '../../../schemas/base-digest.ts';
import { checkAdapterFile, checkBaseFile } from '../../../schemas/rules.ts';
import { selftestInput } from '../../../schemas/selftest.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

const expectedSchema = z.object({ base: z.object({ file: z.string(), digest: z.string() }) });
const methodsSchema = z.object({
  selftest_input: z.object({ positions: z.array(z.number()), values: z.array(z.number()) }),
});

const readJson = (...path: string[]): unknown => JSON.parse(readFileSync(sharedPath(...path), 'utf8'));

for (const [folder, adapterFile] of [
  ['p1-legacy-f12', 'adapter-hippocampus.safetensors'],
  ['p2-fixed-f12-2ch', 'adapter-regions.safetensors'],
] as const) {
  describeShared(`the parity case ${folder}`, () => {
    let file: Buffer;
    let architecture: Architecture;
    let digest: string;

    beforeAll(() => {
      const expected = expectedSchema.parse(readJson('fixtures', 'parity', folder, 'expected.json'));
      digest = expected.base.digest;
      file = readFileSync(sharedPath('fixtures', 'parity', folder, expected.base.file));
      const base = checkBaseFile(file, file.byteLength);
      if (!base.ok) throw new Error(JSON.stringify(base.error));
      architecture = base.value.manifest.architecture;
    });

    it('has a base that is valid and gives its base digest', () => {
      const base = checkBaseFile(file, file.byteLength);
      if (!base.ok) throw new Error(JSON.stringify(base.error));
      const hash = createHash('sha256');
      for (const piece of baseDigestPieces(architecture, base.value.header)) {
        hash.update(piece instanceof Uint8Array ? piece : file.subarray(piece.begin, piece.end));
      }
      expect(`sha256:${hash.digest('hex')}`).toBe(digest);
    });

    it("has MONAI's parameters, 36 of them linear weights of the transformer", () => {
      expect(baseParameters(architecture).size).toBe(151);
      expect(lowRankParameters(architecture).size).toBe(36);
    });

    it('has an adapter that is valid on its base, on none and on no other', () => {
      const adapter = readFileSync(sharedPath('fixtures', 'parity', folder, adapterFile));
      const served = checkAdapterFile(adapter, adapter.byteLength, (wanted) =>
        wanted === digest ? architecture : undefined,
      );
      if (!served.ok) throw new Error(JSON.stringify(served.error));
      expect(served.value.manifest.base).toBe(digest);
      expect(checkAdapterFile(adapter, adapter.byteLength, null).ok).toBe(true);
      const elsewhere = checkAdapterFile(adapter, adapter.byteLength, () => undefined);
      expect(elsewhere.ok ? [] : elsewhere.error.map((found) => found.code)).toEqual(['unknown_base']);
    });
  });
}

describeShared("the self-test's input", () => {
  it('has the values of the fixtures, to the bit', () => {
    const { positions, values } = methodsSchema.parse(readJson('fixtures', 'parity', 'methods.json')).selftest_input;
    const input = selftestInput(Math.max(...positions.filter((position) => position < 2 ** 24)) + 1);
    for (const [index, position] of positions.entries()) {
      if (position < input.length) expect(input[position]).toBe(values[index]);
    }
  });
});
