import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { type Base, loadBase } from '../../../gpu-runner/adapter/base.ts';
import { denseFuse } from '../../../gpu-runner/adapter/compile.ts';
import type { CompiledAdapter } from '../../../gpu-runner/adapter/compiled.ts';
import { frobenius } from '../../../gpu-runner/adapter/matrix.ts';
import { readAdapter } from '../../../gpu-runner/adapter/read-adapter.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

const fusedSchema = z.object({
  parameter: z.string(),
  method: z.string(),
  shape: z.array(z.number()),
  first8: z.array(z.number()),
  frobenius: z.number(),
  change: z.number().optional(),
});
const expectedSchema = z.object({
  base: z.object({ file: z.string(), digest: z.string() }),
  runs: z.array(z.object({ adapter: z.string().nullable(), fused: z.array(fusedSchema).optional() })),
});

interface Parity {
  readonly name: string;
  readonly kind: CompiledAdapter['kind'];
}

/** p1 replaces the head; p2 also changes a convolution, a table and a vector by `delta`. */
const CASES: Parity[] = [
  { name: 'p1-legacy-f12', kind: 'head' },
  { name: 'p2-fixed-f12-2ch', kind: 'all' },
];

describeShared('adapters and bases of the parity cases', () => {
  describe.each(CASES)('$name', ({ name, kind }) => {
    const path = (file: string) => sharedPath('fixtures/parity', name, file);
    const expected = expectedSchema.parse(JSON.parse(readFileSync(path('expected.json'), 'utf8')));
    const run = expected.runs.find(({ adapter }) => adapter !== null);
    let base: Base;
    let adapter: CompiledAdapter;

    beforeAll(async () => {
      base = await loadBase(path(expected.base.file));
      const bytes = readFileSync(path(run?.adapter ?? ''));
      adapter = await readAdapter(bytes, `sha256:${createHash('sha256').update(bytes).digest('hex')}`, base);
    });

    it('has the base digest of the format', () => {
      expect(base.digest).toBe(expected.base.digest);
      const file = readFileSync(path(expected.base.file));
      expect(base.fileSha256).toBe(createHash('sha256').update(file).digest('hex'));
    });

    it('is valid, and runs in the smallest session that holds what it replaces', () => {
      expect(adapter.kind).toBe(kind);
      const dense = (run?.fused ?? []).filter(({ method }) => method === 'full' || method === 'delta');
      expect(new Set(adapter.replaced.keys())).toEqual(new Set(dense.map(({ parameter }) => parameter)));
      expect(adapter.slots.size).toBe((run?.fused ?? []).length - dense.length);
    });

    it.each(run?.fused ?? [])('fuses $parameter ($method) within 1e-6', (item) => {
      const slot = adapter.slots.get(item.parameter);
      const w0 = base.tensors.get(item.parameter)?.data ?? new Float32Array();
      const fused = slot === undefined ? adapter.replaced.get(item.parameter)?.data : denseFuse(slot, w0);
      if (fused === undefined) throw new Error('the adapter does not change this parameter');
      expect(fused).toHaveLength(item.shape.reduce((a, b) => a * b, 1));
      const tolerance = 1e-6 * Math.max(...item.first8.map(Math.abs));
      for (const [i, value] of item.first8.entries()) expect(Math.abs((fused[i] ?? 0) - value)).toBeLessThan(tolerance);
      expect(Math.abs(frobenius(fused) / item.frobenius - 1)).toBeLessThan(1e-6);
      if (item.change === undefined) return;
      const moved = frobenius(Float64Array.from(fused, (value, i) => value - (w0[i] ?? 0))) / frobenius(w0);
      expect(moved).toBeCloseTo(item.change, 6);
    });

    it('accounts for the memory it holds', () => {
      const arrays = [...adapter.slots.values()].flatMap(({ up, down, cOut, cIn }) => [up, down, cOut, cIn]);
      const all = [...arrays, ...[...adapter.replaced.values()].map(({ data }) => data)];
      expect(adapter.bytes).toBe(all.reduce((bytes, { byteLength }) => bytes + byteLength, 0));
      expect(all.every(({ buffer, byteLength }) => buffer.byteLength === byteLength)).toBe(true);
    });
  });
});
