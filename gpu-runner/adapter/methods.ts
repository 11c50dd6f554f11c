/**
 * The methods of the format's table, each as the compiled form `W' = diag(cOut) W0 diag(cIn) + up down` in float64.
 * B = up, A = down, B0 = up0, A0 = down0, s = scale; weights are `[out, in]`, so `axis: 'out'` is one number a row.
 *
 * Sources: LoRA, PiSSA and DoRA as in huggingface/peft and NVlabs/DoRA; LoRAM, BoRA and MAP from their papers'
 * equations as the format's page gives them; PDoRA: `B0 A0` is the principal part at the start, `W0 - B0 A0` the frozen
 * residual, `magnitude * V / norm(V)` the updated principal part.
 */
import {
  above,
  beside,
  columnNorms,
  frobenius,
  type Matrix,
  product,
  rowNorms,
  scaleColumns,
  scaled,
  scaleRows,
  sum,
} from './matrix.ts';

export type Axis = 'in' | 'out';

/** A norm that the method divides by: one value a row, a column or a matrix. */
export interface Divisor {
  readonly name: string;
  readonly values: Float64Array;
}

/** The compiled form in float64, and the norms it divided by (a zero among them makes the form meaningless). */
export interface Form {
  readonly cOut: Float64Array;
  readonly cIn: Float64Array;
  readonly up: Matrix;
  readonly down: Matrix;
  readonly divisors: readonly Divisor[];
}

interface Factors {
  readonly up: Matrix;
  readonly down: Matrix;
}
interface StartFactors {
  readonly up0: Matrix;
  readonly down0: Matrix;
}

/** `W0 + s B A`. */
export function lora({ up, down, scale }: Factors & { scale: number }): Form {
  return plain(scaled(up, scale), down);
}

/** `W0 - s B0 A0 + s B A`; LoRAM's fused weight is the same, from another start. */
export function pissa({ up, down, up0, down0, scale }: Factors & StartFactors & { scale: number }): Form {
  return plain(beside(scaled(up, scale), scaled(up0, -scale)), above(down, down0));
}

/** `magnitude * V / norm(V)` with `V = W0 + s B A`. */
export function dora(p: Factors & { w0: Matrix; scale: number; magnitude: Float64Array; axis: Axis }): Form {
  const norm = normOf(sum(p.w0, product(p.up, p.down), p.scale), p.axis, 'W0 + s B A');
  const q = quotient(p.magnitude, norm.values);
  const up = scaled(p.up, p.scale);
  return p.axis === 'out'
    ? { ...plain(scaleRows(up, q), p.down, [norm]), cOut: q }
    : { ...plain(up, scaleColumns(p.down, q), [norm]), cIn: q };
}

/** `W0 - B0 A0 + magnitude * V / norm(V)` with `V = B A`. */
export function pdoraFactor(p: Factors & StartFactors & { magnitude: Float64Array; axis: Axis }): Form {
  const norm = normOf(product(p.up, p.down), p.axis, 'B A');
  const q = quotient(p.magnitude, norm.values);
  const up = p.axis === 'out' ? scaleRows(p.up, q) : p.up;
  const down = p.axis === 'in' ? scaleColumns(p.down, q) : p.down;
  return plain(beside(up, scaled(p.up0, -1)), above(down, p.down0), [norm]);
}

/** `W0 - B0 A0 + magnitude * V / norm(V)` with `V = B0 A0 + s B A`. */
export function pdoraAdditive(
  p: Factors & StartFactors & { scale: number; magnitude: Float64Array; axis: Axis },
): Form {
  const norm = normOf(sum(product(p.up0, p.down0), product(p.up, p.down), p.scale), p.axis, 'B0 A0 + s B A');
  const q = quotient(p.magnitude, norm.values);
  const change = q.map((value) => value - 1);
  const up = scaled(p.up, p.scale);
  return p.axis === 'out'
    ? plain(beside(scaleRows(p.up0, change), scaleRows(up, q)), above(p.down0, p.down), [norm])
    : plain(beside(p.up0, up), above(scaleColumns(p.down0, change), scaleColumns(p.down, q)), [norm]);
}

/** Rows first: `H = magnitude_out * V / norm_out(V)`; then columns: `magnitude_in * H / norm_in(H)`; `V = W0 + s B A`. */
export function bora(
  p: Factors & { w0: Matrix; scale: number; magnitudeOut: Float64Array; magnitudeIn: Float64Array },
): Form {
  const v = sum(p.w0, product(p.up, p.down), p.scale);
  const rows = normOf(v, 'out', 'W0 + s B A');
  const cOut = quotient(p.magnitudeOut, rows.values);
  const columns = normOf(scaleRows(v, cOut), 'in', 'the rows already scaled');
  const cIn = quotient(p.magnitudeIn, columns.values);
  const form = plain(scaleRows(scaled(p.up, p.scale), cOut), scaleColumns(p.down, cIn), [rows, columns]);
  return { ...form, cOut, cIn };
}

/** `alpha * W0 / frobenius(W0) + beta * B A / frobenius(B A)`, the second term 0 where `B A = 0`. */
export function map(p: Factors & { w0: Matrix; alpha: number; beta: number }): Form {
  const weight = frobenius(p.w0.data);
  const change = frobenius(product(p.up, p.down).data);
  const up = scaled(p.up, change === 0 ? 0 : p.beta / change);
  const divisors = [{ name: 'the Frobenius norm of W0', values: Float64Array.of(weight) }];
  return { ...plain(up, p.down, divisors), cOut: new Float64Array(p.w0.rows).fill(p.alpha / weight) };
}

function plain(up: Matrix, down: Matrix, divisors: readonly Divisor[] = []): Form {
  const cOut = new Float64Array(up.rows).fill(1);
  const cIn = new Float64Array(down.cols).fill(1);
  return { cOut, cIn, up, down, divisors };
}

function normOf(v: Matrix, axis: Axis, name: string): Divisor {
  return { name: `norm_${axis}(${name})`, values: axis === 'out' ? rowNorms(v) : columnNorms(v) };
}

function quotient(magnitude: Float64Array, norms: Float64Array): Float64Array {
  return magnitude.map((value, i) => value / (norms[i] ?? 0));
}
