import type { Vec3 } from '../volume/volume.ts';

/** How one transformer block cuts a grid of tokens into attention windows. */
export interface AttentionWindows {
  readonly grid: Vec3;
  readonly size: Vec3;
  readonly shift: Vec3;
  readonly count: Vec3;
  readonly padded: Vec3;
}

/** Side of the windows of attention; on a smaller grid the window is the grid and nothing is shifted. */
const SIDE = 7;
const SHIFT = 3;
/** Entries in every axis of the relative position bias table. */
const OFFSETS = 2 * SIDE - 1;

/** MONAI's `get_window_size` and padding: the grid is padded at its end to whole windows. */
export function attentionWindows(grid: Vec3, shifted: boolean): AttentionWindows {
  const axes = grid.map((length) => {
    const size = Math.min(SIDE, length);
    const count = Math.ceil(length / size);
    return { size, count, padded: count * size, shift: shifted && length > SIDE ? SHIFT : 0 };
  });
  const [a, b, c] = axes;
  if (a === undefined || b === undefined || c === undefined) throw new Error('a grid has three axes');
  return {
    grid,
    size: [a.size, b.size, c.size],
    shift: [a.shift, b.shift, c.shift],
    count: [a.count, b.count, c.count],
    padded: [a.padded, b.padded, c.padded],
  };
}

/**
 * Scores that are made at once, in bytes: 1.4 and 10 MB measured alike, all 484 MB of a first stage took half as long
 * again.
 */
export const SCORES_BYTES = 12e6;

/** How many attention windows are taken through attention at once. */
export function windowsTogether({ size }: AttentionWindows, heads: number): number {
  const bytes = Float32Array.BYTES_PER_ELEMENT * heads * volumeOf(size) ** 2;
  return Math.max(1, 2 * Math.floor(SCORES_BYTES / bytes / 2));
}

export function volumeOf([a, b, c]: Vec3): number {
  return a * b * c;
}

/** Calls back for every cell of a grid in C order. */
export function eachCell([ni, nj, nk]: Vec3, visit: (i: number, j: number, k: number) => void): void {
  for (let i = 0; i < ni; i++) for (let j = 0; j < nj; j++) for (let k = 0; k < nk; k++) visit(i, j, k);
}

/** Calls back for every token of every window, windows in C order and tokens within one in C order. */
function eachToken(w: AttentionWindows, visit: (position: Vec3) => void): void {
  const [wi, wj, wk] = w.size;
  eachCell(w.count, (a, b, c) => {
    eachCell(w.size, (i, j, k) => visit([a * wi + i, b * wj + j, c * wk + k]));
  });
}

/**
 * For every token of every window the row of the grid it comes from: pad, roll by `-shift` and partition in one
 * lookup. Padding points at the row after the last one.
 */
export function partitionIndex(w: AttentionWindows): Int32Array {
  const [gi, gj, gk] = w.grid;
  const index = new Int32Array(volumeOf(w.padded));
  let at = 0;
  eachToken(w, (position) => {
    const [i, j, k] = source(position, w);
    index[at++] = i < gi && j < gj && k < gk ? (i * gj + j) * gk + k : gi * gj * gk;
  });
  return index;
}

/** The way back: for every cell of the grid the row of the partitioned tokens that holds it. */
export function mergeIndex(w: AttentionWindows): Int32Array {
  const index = new Int32Array(volumeOf(w.grid));
  for (const [row, cell] of partitionIndex(w).entries()) if (cell < index.length) index[cell] = row;
  return index;
}

/** Where a token of the rolled grid was before: `torch.roll` by `-shift`. */
function source([i, j, k]: Vec3, { padded, shift }: AttentionWindows): Vec3 {
  return [(i + shift[0]) % padded[0], (j + shift[1]) % padded[1], (k + shift[2]) % padded[2]];
}

/** Regions a window can hold: the last one along each axis holds two, split where the roll wrapped round. */
export const MASK_REGIONS = 8;
const MASK_VALUE = -100;

/**
 * MONAI's shift mask as features that queries and keys carry, so that no mask of `windows x n x n` is ever made:
 * with `q` one-hot in the token's region and `k` -100 in every other region, `q . k` is exactly -100 between regions
 * and 0 within one. `query` is `[windows, n, 8]`, `key` `[windows, 8, n]`.
 */
export function maskFeatures(w: AttentionWindows): { query: Float32Array; key: Float32Array } {
  const tokens = volumeOf(w.size);
  const total = volumeOf(w.padded);
  const query = new Float32Array(total * MASK_REGIONS);
  const key = new Float32Array(total * MASK_REGIONS).fill(MASK_VALUE);
  const wraps = (position: number, axis: 0 | 1 | 2) =>
    w.shift[axis] > 0 && position >= w.padded[axis] - w.shift[axis] ? 1 : 0;
  let at = 0;
  eachToken(w, ([i, j, k]) => {
    const region = 4 * wraps(i, 0) + 2 * wraps(j, 1) + wraps(k, 2);
    const window = Math.floor(at / tokens);
    query[at * MASK_REGIONS + region] = 1;
    key[(window * MASK_REGIONS + region) * tokens + (at % tokens)] = 0;
    at++;
  });
  return { query, key };
}

/**
 * Rows of the position bias table for all pairs of `tokens` tokens. Where a window is smaller than 7^3, MONAI takes the
 * corner of the full window's index instead of one for the smaller window; trained tables depend on it.
 */
export function positionIndex(tokens: number): Int32Array {
  const index = new Int32Array(tokens ** 2);
  for (let query = 0; query < tokens; query++) {
    const [qi, qj, qk] = cellOf(query);
    for (let key = 0; key < tokens; key++) {
      const [ki, kj, kk] = cellOf(key);
      index[query * tokens + key] =
        ((qi - ki + SIDE - 1) * OFFSETS + (qj - kj + SIDE - 1)) * OFFSETS + (qk - kk + SIDE - 1);
    }
  }
  return index;
}

/** Where a token lies in a full window. */
function cellOf(token: number): Vec3 {
  return [Math.floor(token / SIDE ** 2), Math.floor(token / SIDE) % SIDE, token % SIDE];
}
