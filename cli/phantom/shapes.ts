import type { Random } from './random.ts';

export type Point = readonly [number, number, number];

/** A point of `change` for each coordinate. */
export function mapPoint(p: Point, change: (value: number, axis: number) => number): Point {
  return [change(p[0], 0), change(p[1], 1), change(p[2], 2)];
}

/** A point of a tube's centre line with the tube's radius there, in millimetres. */
export interface Knot {
  readonly at: Point;
  readonly radius: number;
}

export interface Ellipsoid {
  readonly centre: Point;
  readonly axes: Point;
}

/** Millimetres from the surface to the point along the ray from the centre: positive inside, exact on the axes. */
export function depthInside(e: Ellipsoid, x: number, y: number, z: number): number {
  const dx = x - e.centre[0];
  const dy = y - e.centre[1];
  const dz = z - e.centre[2];
  const length = Math.sqrt(dx * dx + dy * dy + dz * dz);
  const r = Math.sqrt((dx / e.axes[0]) ** 2 + (dy / e.axes[1]) ** 2 + (dz / e.axes[2]) ** 2);
  return r < 1e-6 ? Math.min(...e.axes) : length * (1 / r - 1);
}

/** A chain of knots, with the box outside which it is far away. */
export interface Tube {
  readonly knots: readonly Knot[];
  readonly segments: readonly { readonly from: Knot; readonly to: Knot }[];
  readonly low: Point;
  readonly high: Point;
}

/** Nothing asks how far away a tube is beyond this distance. */
const TUBE_MARGIN_MM = 10;

export function tubeOf(knots: readonly Knot[]): Tube {
  const edge = (axis: 0 | 1 | 2, side: -1 | 1): number =>
    side * Math.max(...knots.map((k) => side * k.at[axis] + k.radius + TUBE_MARGIN_MM));
  return {
    knots,
    segments: knots.flatMap((to, n) => {
      const from = knots[n - 1];
      return from === undefined ? [] : [{ from, to }];
    }),
    low: [edge(0, -1), edge(1, -1), edge(2, -1)],
    high: [edge(0, 1), edge(1, 1), edge(2, 1)],
  };
}

/**
 * Millimetres from the wall of a tube to the point, positive inside, minus infinity far from it; the radius runs
 * linearly between knots.
 */
export function depthInTube({ segments, low, high }: Tube, x: number, y: number, z: number): number {
  let deepest = Number.NEGATIVE_INFINITY;
  if (x < low[0] || x > high[0] || y < low[1] || y > high[1] || z < low[2] || z > high[2]) return deepest;
  for (const { from, to } of segments) {
    const ux = to.at[0] - from.at[0];
    const uy = to.at[1] - from.at[1];
    const uz = to.at[2] - from.at[2];
    const px = x - from.at[0];
    const py = y - from.at[1];
    const pz = z - from.at[2];
    const along = (px * ux + py * uy + pz * uz) / (ux * ux + uy * uy + uz * uz);
    const t = Math.min(1, Math.max(0, along));
    const dx = px - t * ux;
    const dy = py - t * uy;
    const dz = pz - t * uz;
    const depth = from.radius + t * (to.radius - from.radius) - Math.sqrt(dx * dx + dy * dy + dz * dz);
    if (depth > deepest) deepest = depth;
  }
  return deepest;
}

/** Plane waves in random directions: a smooth field and its slope, for warps and for the folds of the cortex. */
export class Waves {
  readonly #k: Float64Array;
  readonly #count: number;
  readonly #amplitude: number;

  /** Wavelengths in millimetres; the field's root mean square is `rms`. */
  constructor(random: Random, count: number, wavelength: readonly [number, number], rms: number) {
    this.#k = new Float64Array(count * 4);
    this.#count = count;
    this.#amplitude = rms * Math.sqrt(2 / count);
    for (let n = 0; n < count; n++) {
      const z = random.uniform(-1, 1);
      const angle = random.uniform(0, 2 * Math.PI);
      const k = (2 * Math.PI) / random.uniform(wavelength[0], wavelength[1]);
      const flat = Math.sqrt(1 - z * z);
      this.#k.set(
        [k * flat * Math.cos(angle), k * flat * Math.sin(angle), k * z, random.uniform(0, 2 * Math.PI)],
        n * 4,
      );
    }
  }

  at(x: number, y: number, z: number): number {
    const k = this.#k;
    let sum = 0;
    for (let n = 0; n < this.#count * 4; n += 4) {
      sum += Math.sin(at(k, n) * x + at(k, n + 1) * y + at(k, n + 2) * z + at(k, n + 3));
    }
    return sum * this.#amplitude;
  }

  /** Distance in millimetres to the nearest zero of the field, to first order: |f| / |grad f|. */
  distanceToZero(x: number, y: number, z: number): number {
    const k = this.#k;
    let f = 0;
    let gx = 0;
    let gy = 0;
    let gz = 0;
    for (let n = 0; n < this.#count * 4; n += 4) {
      const phase = at(k, n) * x + at(k, n + 1) * y + at(k, n + 2) * z + at(k, n + 3);
      const slope = Math.cos(phase);
      f += Math.sin(phase);
      gx += slope * at(k, n);
      gy += slope * at(k, n + 1);
      gz += slope * at(k, n + 2);
    }
    return Math.abs(f) / Math.max(1e-3, Math.sqrt(gx * gx + gy * gy + gz * gz));
  }
}

function at(values: Float64Array, index: number): number {
  return values[index] ?? Number.NaN;
}
