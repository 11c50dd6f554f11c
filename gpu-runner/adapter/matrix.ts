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
    const row = data.subarray(i * b.cols, (i + 1) * b.cols);
    for (let k = 0; k < a.cols; k++) {
      const factor = a.data[i * a.cols + k] ?? 0;
      if (factor === 0) continue;
      const other = k * b.cols;
      for (let j = 0; j < row.length; j++) row[j] = (row[j] ?? 0) + factor * (b.data[other + j] ?? 0);
    }
  }
  return { rows: a.rows, cols: b.cols, data };
}

/** `aᵀ b`. */
export function crossProduct(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.cols * b.cols);
  for (let k = 0; k < a.rows; k++) {
    for (let i = 0; i < a.cols; i++) {
      const factor = a.data[k * a.cols + i] ?? 0;
      for (let j = 0; j < b.cols; j++) {
        data[i * b.cols + j] = (data[i * b.cols + j] ?? 0) + factor * (b.data[k * b.cols + j] ?? 0);
      }
    }
  }
  return { rows: a.cols, cols: b.cols, data };
}

/** `a bᵀ`. */
export function outerProduct(a: Matrix, b: Matrix): Matrix {
  const data = new Float64Array(a.rows * b.rows);
  for (let i = 0; i < a.rows; i++) {
    for (let j = 0; j < b.rows; j++) {
      let total = 0;
      for (let k = 0; k < a.cols; k++) total += (a.data[i * a.cols + k] ?? 0) * (b.data[j * b.cols + k] ?? 0);
      data[i * b.rows + j] = total;
    }
  }
  return { rows: a.rows, cols: b.rows, data };
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
