/**
 * Winograd's F(4, 3) along the first axis of a volume: four slices of a convolution with three taps come from six
 * products in place of twelve. Points 0, 1, -1, 2, -2 and infinity.
 */
export const POINTS = 6;
/** Slices that one tile makes. */
export const TILE = 4;

/** Six slices, from one before the tile to one behind it, to six points. */
const FORWARD = [
  [4, 0, -5, 0, 1, 0],
  [0, -4, -4, 1, 1, 0],
  [0, 4, -4, -1, 1, 0],
  [0, -2, -1, 2, 1, 0],
  [0, 2, -1, -2, 1, 0],
  [0, 4, 0, -5, 0, 1],
];

/** Three taps to six points. */
const KERNEL = [
  [1 / 4, 0, 0],
  [-1 / 6, -1 / 6, -1 / 6],
  [-1 / 6, 1 / 6, -1 / 6],
  [1 / 24, 1 / 12, 1 / 6],
  [1 / 24, -1 / 12, 1 / 6],
  [0, 0, 1],
];

/** Six points to the four slices of a tile. */
const INVERSE = [
  [1, 1, 1, 1, 1, 0],
  [0, 1, -1, 2, -2, 0],
  [0, 1, 1, 4, 4, 0],
  [0, 1, -1, 8, -8, 1],
];

/** For every tile the slices that it takes. Where there is none, any other; `forwardMatrices` leaves it out. */
export function tileSlices(depth: number): Int32Array {
  return Int32Array.from({ length: (depth / TILE) * POINTS }, (_, at) => {
    const slice = Math.floor(at / POINTS) * TILE + (at % POINTS) - 1;
    return Math.min(Math.max(slice, 0), depth - 1);
  });
}

/** `[tiles, 6, 6]`: slices outside the volume are zero. */
export function forwardMatrices(depth: number): Float32Array {
  const tiles = depth / TILE;
  const values: number[] = [];
  for (let tile = 0; tile < tiles; tile++) {
    for (const row of FORWARD) {
      values.push(
        ...row.map((value, at) => ((tile === 0 && at === 0) || (tile === tiles - 1 && at === POINTS - 1) ? 0 : value)),
      );
    }
  }
  return Float32Array.from(values);
}

/** `[4, 6]`. */
export function inverseMatrix(): Float32Array {
  return Float32Array.from(INVERSE.flat());
}

/** What the tap along the first axis adds to a point. */
export function kernelFactor(point: number, tap: number): number {
  return KERNEL[point]?.[tap] ?? 0;
}
