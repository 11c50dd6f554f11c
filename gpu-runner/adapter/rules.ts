/** The runner's rules of the format page (section 4) that look at one parameter: pure, in float64. */
import type { FormatProblem } from '../../schemas/errors.ts';
import type { LowRankTarget } from '../../schemas/target.ts';
import { fuseForm } from './compile.ts';
import type { Slot } from './compiled.ts';
import {
  columnNorms,
  crossProduct,
  frobenius,
  largest,
  type Matrix,
  outerProduct,
  product,
  rowNorms,
  scaled,
  sum,
} from './matrix.ts';
import type { Form } from './methods.ts';
import { firstNotFinite } from './tensor-bytes.ts';

/** An exact SVD of the adapter's own base leaves 1e-8, of another base 0.4; PiSSA's may be a randomised one. */
const RESIDUE_MAX = { pdora: 1e-4, pissa: 1e-2 } as const;
/** A weight that moves by less, relative to its norm, is unchanged. */
const EFFECT_MIN = 1e-6;
/** Of float32. */
const ROUNDING = 1e-7;
const FLOAT32_MAX = 3.4028234663852886e38;

/** A NaN or infinity in a tensor, named by its flat index. */
export function tensorNotFinite(path: string, values: ArrayLike<number>): FormatProblem | null {
  const at = firstNotFinite(values);
  return at < 0 ? null : notFinite(path, `expected finite values, found ${values[at]} at flat index ${at}`);
}

/** A zero norm that the method divides by, or a value of the compiled or fused weight that float32 cannot hold. */
export function formNotFinite(path: string, form: Form, slot: Slot, w0: Matrix): FormatProblem | null {
  for (const { name, values } of form.divisors) {
    const at = values.indexOf(0);
    if (at >= 0) return notFinite(path, `expected norms to divide by, found 0 in ${name} at index ${at}`);
  }
  for (const part of ['cOut', 'cIn', 'up', 'down'] as const) {
    const at = firstNotFinite(slot[part]);
    if (at >= 0) return notFinite(path, `expected a compiled form within float32, found ${slot[part][at]} in ${part}`);
  }
  return fusedBound(form, w0) <= FLOAT32_MAX || fuseForm(form, w0.data).every((value) => Math.abs(value) <= FLOAT32_MAX)
    ? null
    : notFinite(path, 'expected a fused weight within float32, found a larger value');
}

/** No value of the fused weight is larger than this: Cauchy-Schwarz on `up down`, so that nothing is fused for it. */
function fusedBound({ cOut, cIn, up, down }: Form, w0: Matrix): number {
  const weight = largest(cOut) * largest(w0.data) * largest(cIn);
  return weight + largest(rowNorms(up)) * largest(columnNorms(down));
}

/** Whether the factors at the start are the principal part of this base's weight, for the methods that say so. */
export function wrongBase(
  path: string,
  target: LowRankTarget,
  w0: Matrix,
  start: { up0: Matrix; down0: Matrix } | null,
): FormatProblem | null {
  if (start === null || (target.method !== 'pissa' && target.method !== 'pdora')) return null;
  const limit = RESIDUE_MAX[target.method];
  const residue = principalResidue(w0, start.up0, start.down0, target.method === 'pissa' ? target.scale : 1);
  if (residue === null) return { code: 'wrong_base', path, message: 'expected a principal part, found up0 down0 = 0' };
  if (residue <= limit) return null;
  const message = `expected up0 and down0 to be the base's principal part within ${limit}, found ${residue.toExponential(2)}`;
  return { code: 'wrong_base', path, message };
}

/**
 * `max(|Pᵀ R|_F, |P Rᵀ|_F) / |W0|_F²` with `P = s B0 A0` and `R = W0 - P`; null where `P` is zero, up to what the
 * float32 factors can tell. With `B = s B0` and `A = A0`, `Pᵀ R = Aᵀ (Bᵀ R)` and `P Rᵀ = B (R Aᵀ)ᵀ`; a Frobenius norm
 * `|X Y|` is the root of `trace((Xᵀ X)(Y Yᵀ))`. So nothing larger than the factors is made.
 */
export function principalResidue(w0: Matrix, up0: Matrix, down0: Matrix, scale: number): number | null {
  const up = scaled(up0, scale);
  const ofUp = crossProduct(up, up);
  const ofDown = outerProduct(down0, down0);
  const principal = rootOfTrace(ofUp, ofDown);
  if (principal <= ROUNDING * frobenius(up.data) * frobenius(down0.data)) return null;
  const left = sum(crossProduct(up, w0), product(ofUp, down0), -1);
  const right = sum(outerProduct(w0, down0), product(up, ofDown), -1);
  const residue = Math.max(
    rootOfTrace(ofDown, outerProduct(left, left)),
    rootOfTrace(ofUp, crossProduct(right, right)),
  );
  return residue / frobenius(w0.data) ** 2;
}

/** The root of `trace(a b)` of symmetric matrices; rounding may leave a zero below zero. */
function rootOfTrace(a: Matrix, b: Matrix): number {
  let trace = 0;
  for (let i = 0; i < a.data.length; i++) trace += (a.data[i] ?? 0) * (b.data[i] ?? 0);
  return Math.sqrt(Math.max(0, trace));
}

/** Whether the fused weight is another than the base's: `|W' - W0|_F > 1e-6 |W0|_F`. */
export function formHasEffect(form: Form, w0: Matrix): boolean {
  const fused = { rows: w0.rows, cols: w0.cols, data: fuseForm(form, w0.data) };
  return frobenius(sum(fused, w0, -1).data) > EFFECT_MIN * frobenius(w0.data);
}

/** The same for a `delta`. */
export function deltaHasEffect(delta: Float32Array, w0: Float32Array): boolean {
  return frobenius(delta) > EFFECT_MIN * frobenius(w0);
}

function notFinite(path: string, message: string): FormatProblem {
  return { code: 'not_finite', path, message };
}
