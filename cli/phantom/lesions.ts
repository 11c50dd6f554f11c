import type { Random } from './random.ts';
import { randomStream } from './random.ts';
import { type Point, Waves } from './shapes.ts';
import { facts, type MaterialAt } from './tissue.ts';

/** A metastasis in the head's own frame. */
export interface Lesion {
  readonly centre: Point;
  /** Semi-axes along the rows of `frame`, in millimetres. */
  readonly axes: Point;
  readonly radius: number;
  /** Share of the brightness that is left in the middle. */
  readonly core: number;
  readonly lumps: Waves;
}

const PLACES_TRIED = 400;

function place(random: Random, material: MaterialAt, radius: number): Point | undefined {
  for (let attempt = 0; attempt < PLACES_TRIED; attempt++) {
    const centre: Point = [random.uniform(-50, 50), random.uniform(-64, 68), random.uniform(-45, 68)];
    if (free(centre, radius, material)) return centre;
  }
  return undefined;
}

/** In grey or white matter, with its whole surface inside the skull, and clear of the hippocampi. */
function free([x, y, z]: Point, radius: number, material: MaterialAt): boolean {
  if (facts(material(x, y, z)).tissue < 3) return false;
  return DIRECTIONS.every(([dx, dy, dz]) => {
    const near = facts(material(x + radius * dx, y + radius * dy, z + radius * dz));
    const reach = radius + CLEARANCE_MM;
    const far = facts(material(x + reach * dx, y + reach * dy, z + reach * dz));
    return near.tissue >= 2 && near.deep === 0 && far.deep === 0;
  });
}

/** Between two metastases, and between one and a hippocampus. */
const CLEARANCE_MM = 6;
const DIAGONAL = 1 / Math.sqrt(3);
const DIRECTIONS: readonly Point[] = [
  ...([-1, 1] as const).flatMap((s): Point[] => [
    [s, 0, 0],
    [0, s, 0],
    [0, 0, s],
  ]),
  ...([-1, 1] as const).flatMap((i) =>
    ([-1, 1] as const).flatMap((j) => ([-1, 1] as const).map((k): Point => [i * DIAGONAL, j * DIAGONAL, k * DIAGONAL])),
  ),
];

/** One to five metastases of 4 to 10 mm radius, apart from each other and from the hippocampi. */
export function drawLesions(seed: number, material: MaterialAt): Lesion[] {
  const random = randomStream(seed, 'lesions');
  const count = random.integer(1, 5);
  const lesions: Lesion[] = [];
  for (let n = 0; n < count; n++) {
    const radius = random.uniform(4, 10);
    const centre = place(random, material, radius);
    const axes: Point = [
      radius * random.uniform(0.85, 1.15),
      radius * random.uniform(0.85, 1.15),
      radius * random.uniform(0.85, 1.15),
    ];
    const core = radius > 6 ? random.uniform(0.7, 1) : 1;
    const lumps = new Waves(random, 3, [12, 24], 0.05);
    if (centre === undefined) continue;
    const apart = lesions.every((other) => distance(other.centre, centre) > other.radius + radius + CLEARANCE_MM);
    if (apart) lesions.push({ centre, axes, radius, core, lumps });
  }
  return lesions;
}

function distance(a: Point, b: Point): number {
  return Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]);
}

/** Where a point lies in a lesion: 0 in the middle, 1 on its surface; `undefined` when twice as far or farther. */
export function lesionRadius(lesion: Lesion, x: number, y: number, z: number): number | undefined {
  const dx = (x - lesion.centre[0]) / lesion.axes[0];
  const dy = (y - lesion.centre[1]) / lesion.axes[1];
  const dz = (z - lesion.centre[2]) / lesion.axes[2];
  const squared = dx * dx + dy * dy + dz * dz;
  return squared > 4 ? undefined : Math.sqrt(squared) * (1 + lesion.lumps.at(x, y, z));
}
