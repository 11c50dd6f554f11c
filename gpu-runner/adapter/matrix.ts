/** A dense matrix in float64, row-major. */
export interface Matrix {
  readonly rows: number;
  readonly cols: number;
  readonly data: Float64Array;
}

/** A matrix over `values` (row-major), widened to float64. */
export function matrix(rows: number, cols: number, values: ArrayLike<number>): Matrix {
  if (values.length !== rows * cols) throw new RangeError(`${values.length} values are no ${rows} x ${cols} matrix`);
  return { rows, cols, data: new Float64Array(values) };
}

/** `a b`. */
export function product(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.rows * b.cols);
  for (let i = 0; i < a.rows; i++) {
    addRows(data.subarray(i * b.cols, (i + 1) * b.cols), a.data.subarray(i * a.cols, (i + 1) * a.cols), b.data);
  }
  return { rows: a.rows, cols: b.cols, data };
}

/** `aᵀ b`. */
export function crossProduct(a: Matrix, b: Matrix): Matrix {
  return product(transposed(a), b);
}

/** `a bᵀ`. */
export function outerProduct(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.rows * b.rows);
  for (let i = 0; i < a.rows; i++) {
    const row = a.data.subarray(i * a.cols, (i + 1) * a.cols);
    for (let j = 0; j < b.rows; j += AT_ONCE) addDots(data, i * b.rows + j, row, b, j);
  }
  return { rows: a.rows, cols: b.rows, data };
}

/** Rows that are taken together: a fourth of the passes over what they are added to. */
const AT_ONCE = 4;

/** Adds `factors[k]` times the `k`th row of `rows` to `into`, for every `k`. */
function addRows(into: Float64Array, factors: Float64Array, rows: Float64Array): void {
  const length = into.length;
  for (let k = 0; k < factors.length; k += AT_ONCE) {
    // Those beyond the last are zero times the first row.
    const [f0, f1, f2, f3] = [factors[k] ?? 0, factors[k + 1] ?? 0, factors[k + 2] ?? 0, factors[k + 3] ?? 0];
    const r0 = k * length;
    const r1 = k + 1 < factors.length ? r0 + length : 0;
    const r2 = k + 2 < factors.length ? r0 + 2 * length : 0;
    const r3 = k + 3 < factors.length ? r0 + 3 * length : 0;
    for (let j = 0; j < length; j++) {
      const first = f0 * (rows[r0 + j] ?? 0) + f1 * (rows[r1 + j] ?? 0);
      const second = f2 * (rows[r2 + j] ?? 0) + f3 * (rows[r3 + j] ?? 0);
      into[j] = (into[j] ?? 0) + (first + second);
    }
  }
}

/** The products of `row` with four rows of `b` from the `j`th on, as far as there are so many. */
function addDots(into: Float64Array, at: number, row: Float64Array, b: Matrix, j: number): void {
  const length = row.length;
  const start = (n: number) => Math.min(j + n, b.rows - 1) * length;
  const [r0, r1, r2, r3] = [start(0), start(1), start(2), start(3)];
  let [t0, t1, t2, t3] = [0, 0, 0, 0];
  for (let k = 0; k < length; k++) {
    const value = row[k] ?? 0;
    t0 += value * (b.data[r0 + k] ?? 0);
    t1 += value * (b.data[r1 + k] ?? 0);
    t2 += value * (b.data[r2 + k] ?? 0);
    t3 += value * (b.data[r3 + k] ?? 0);
  }
  const found = [t0, t1, t2, t3];
  for (let n = 0; n < AT_ONCE && j + n < b.rows; n++) into[at + n] = found[n] ?? 0;
}

function transposed({ rows, cols, data }: Matrix): Matrix {
  const turned = new Float64Array(data.length);
  for (let i = 0; i < rows; i++) {
    for (let j = 0; j < cols; j++) turned[j * rows + i] = data[i * cols + j] ?? 0;
  }
  return { rows: cols, cols: rows, data: turned };
}

/** `a + factor * b`. */
export function sum(a: Matrix, b: Matrix, factor = 1): Matrix {
  const data = new Float64Array(a.data.length);
  for (let i = 0; i < data.length; i++) data[i] = (a.data[i] ?? 0) + factor * (b.data[i] ?? 0);
  return { rows: a.rows, cols: a.cols, data };
}

/** `factor * a`. */
export function scaled(a: Matrix, factor: number): Matrix {
  return { rows: a.rows, cols: a.cols, data: a.data.map((value) => factor * value) };
}

/** `diag(rows) a`. */
export function scaleRows(a: Matrix, rows: Float64Array): Matrix {
  const data = a.data.slice();
  for (let i = 0; i < a.rows; i++) {
    const factor = rows[i] ?? 0;
    for (let at = i * a.cols; at < (i + 1) * a.cols; at++) data[at] = factor * (data[at] ?? 0);
  }
  return { rows: a.rows, cols: a.cols, data };
}

/** `a diag(cols)`. */
export function scaleColumns(a: Matrix, cols: Float64Array): Matrix {
  const data = new Float64Array(a.data.length);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.cols; j++) data[i * a.cols + j] = (a.data[i * a.cols + j] ?? 0) * (cols[j] ?? 0);
  }
  return { rows: a.rows, cols: a.cols, data };
}

/** `[a, b]`: side by side. */
export function beside(a: Matrix, b: Matrix): Matrix {
  const cols = a.cols + b.cols;
  const data = new Float64Array(a.rows * cols);
  for (let i = 0; i < a.rows; i++) {
    data.set(a.data.subarray(i * a.cols, (i + 1) * a.cols), i * cols);
    data.set(b.data.subarray(i * b.cols, (i + 1) * b.cols), i * cols + a.cols);
  }
  return { rows: a.rows, cols, data };
}

/** `[a; b]`: one above the other. */
export function above(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.data.length + b.data.length);
  data.set(a.data);
  data.set(b.data, a.data.length);
  return { rows: a.rows + b.rows, cols: a.cols, data };
}

/** The 2-norm of every row. */
export function rowNorms(a: Matrix): Float64Array {
  const norms = new Float64Array(a.rows);
  for (let i = 0; i < a.rows; i++) norms[i] = frobenius(a.data.subarray(i * a.cols, (i + 1) * a.cols));
  return norms;
}

/** The 2-norm of every column. */
export function columnNorms(a: Matrix): Float64Array {
  const squares = new Float64Array(a.cols);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < a.cols; j++) squares[j] = (squares[j] ?? 0) + (a.data[i * a.cols + j] ?? 0) ** 2;
  }
  return squares.map(Math.sqrt);
}

/** The square root of the sum of squares. */
export function frobenius(values: ArrayLike<number>): number {
  let squares = 0;
  for (let i = 0; i < values.length; i++) squares += (values[i] ?? 0) ** 2;
  return Math.sqrt(squares);
}

/** The largest absolute value, 0 of none. */
export function largest(values: ArrayLike<number>): number {
  let most = 0;
  for (let i = 0; i < values.length; i++) most = Math.max(most, Math.abs(values[i] ?? 0));
  return most;
}
