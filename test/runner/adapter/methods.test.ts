import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { z } from 'zod';
import { compileForm, compileTarget, denseFuse, fuseForm, type Roles } from '../../../gpu-runner/adapter/compile.ts';
import { frobenius, matrix } from '../../../gpu-runner/adapter/matrix.ts';
import { principalResidue } from '../../../gpu-runner/adapter/rules.ts';
import { selftestInput } from '../../../schemas/selftest.ts';
import { targetSchema } from '../../../schemas/target.ts';
import { describeShared, sharedPath } from '../../support/shared.ts';

const rows = z.array(z.array(z.number()));
const caseSchema = z.looseObject({
  name: z.string(),
  W0: rows,
  expected: rows,
  tensors: z.record(z.string(), z.json()),
  principal_residue: z.number().optional(),
  principal_residue_other_base: z.number().optional(),
});
const fileSchema = z.object({
  cases: z.array(caseSchema),
  selftest_input: z.object({ positions: z.array(z.number()), values: z.array(z.number()) }),
});

/** The keys of a manifest's target, out of a case that has others beside them. */
function targetOf(item: z.infer<typeof caseSchema>) {
  const { name: _name, W0: _w0, expected: _expected, tensors: _tensors, ...rest } = item;
  const { principal_residue: _residue, principal_residue_other_base: _other, ...keys } = rest;
  return targetSchema.parse({ parameter: 'weight', ...keys });
}

function rolesOf(tensors: Record<string, unknown>): Roles {
  const flat = z.array(z.number());
  return Object.fromEntries(
    Object.entries(tensors).map(([role, value]) => [
      role,
      Float32Array.from(flat.parse([value].flat(Number.POSITIVE_INFINITY))),
    ]),
  );
}

function difference(a: ArrayLike<number>, b: readonly number[]): number {
  return frobenius(b.map((value, i) => value - (a[i] ?? Number.NaN))) / frobenius(b);
}

describeShared('the method vectors', () => {
  const { cases, selftest_input: selftest } = fileSchema.parse(
    JSON.parse(readFileSync(sharedPath('fixtures/parity/methods.json'), 'utf8')),
  );
  const lowRank = cases.flatMap((item) => {
    const target = targetOf(item);
    return target.method === 'delta' ? [] : [{ ...item, target }];
  });

  it('cover every method of the format', () => {
    const methods = new Set(cases.map((item) => targetOf(item).method));
    expect(methods).toEqual(new Set(['lora', 'pissa', 'loram', 'dora', 'pdora', 'bora', 'map', 'delta']));
    expect(cases).toHaveLength(21);
  });

  it.each(lowRank)('$name is fused within 1e-12 in float64 and 1e-6 in float32', (item) => {
    const [out, into] = [item.W0.length, item.W0[0]?.length ?? 0];
    const w0 = Float32Array.from(item.W0.flat());
    const tensors = rolesOf(item.tensors);
    const form = compileForm(item.target, matrix(out, into, w0), tensors);
    expect(form.up.cols).toBeLessThanOrEqual(2 * item.target.rank);
    expect(difference(fuseForm(form, w0), item.expected.flat())).toBeLessThan(1e-12);
    const slot = compileTarget(item.target, w0, out, into, tensors);
    expect(difference(denseFuse(slot, w0), item.expected.flat())).toBeLessThan(1e-6);
  });

  const principal = lowRank.filter((item) => item.principal_residue !== undefined);
  it.each(principal)('$name has the residue that wrong_base limits', (item) => {
    const [out, into] = [item.W0.length, item.W0[0]?.length ?? 0];
    const tensors = rolesOf(item.tensors);
    const factor = (name: string, rowCount: number, cols: number) => matrix(rowCount, cols, tensors[name] ?? []);
    const scale = item.target.method === 'pissa' ? item.target.scale : 1;
    const { rank } = item.target;
    const residue = principalResidue(
      matrix(out, into, item.W0.flat()),
      factor('up0', out, rank),
      factor('down0', rank, into),
      scale,
    );
    expect(residue).toBeCloseTo(item.principal_residue ?? Number.NaN, 12);
    expect(principal).toHaveLength(9);
  });

  it('have the input of the self-test, also where the plain product leaves the exact integers', () => {
    const input = selftestInput(Math.max(...selftest.positions) + 1);
    expect(selftest.positions.map((position) => input[position])).toEqual(selftest.values);
  });
});
