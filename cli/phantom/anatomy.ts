import type { Random } from './random.ts';
import { randomStream } from './random.ts';
import { type Ellipsoid, type Knot, mapPoint, type Point, type Tube, tubeOf, Waves } from './shapes.ts';

/**
 * The shapes of one head in its own frame: millimetres, +x right, +y front, +z up, origin between the temporal lobes.
 * Everything a seed decides about shape is drawn here once; `tissue.ts` asks what lies at a point.
 */
export interface Anatomy {
  readonly warp: readonly [Waves, Waves, Waves];
  readonly cranium: Ellipsoid;
  readonly brain: Ellipsoid;
  readonly face: Ellipsoid;
  readonly nose: Ellipsoid;
  readonly neck: Tube;
  readonly eyes: readonly Ellipsoid[];
  /** Nose, mouth and throat: air with thin walls, as dark as bone. */
  readonly airway: Tube;
  readonly scalp: number;
  readonly skull: number;
  /** Height of the floor of the cerebrum. */
  readonly floor: number;
  readonly cerebellum: Ellipsoid;
  readonly brainstem: Tube;
  readonly folds: Waves;
  readonly foliation: Waves;
  readonly sulcusDepth: number;
  readonly cortex: number;
  readonly ventricles: readonly Tube[];
  readonly thirdVentricle: Ellipsoid;
  readonly nuclei: readonly Ellipsoid[];
  /** Left (x < 0) and right: about 45 mm long and 14 to 18 mm thick. */
  readonly hippocampi: readonly [left: Tube, right: Tube];
  readonly sagittalSinus: number;
}

/** Both sides of a tube given for the right one, each with its own scatter: no brain is its own mirror image. */
function bothSides(random: Random, knots: readonly Knot[], scatter: number): [Knot[], Knot[]] {
  const side = (sign: number): Knot[] => {
    const shift = [random.normal() * scatter, random.normal() * scatter, random.normal() * scatter] as const;
    const swell = 1 + 0.05 * random.normal();
    return knots.map(({ at, radius }) => ({
      at: [
        sign * at[0] + shift[0] * 0.6 + random.normal() * scatter * 0.4,
        at[1] + shift[1] + random.normal() * scatter * 0.4,
        at[2] + shift[2] + random.normal() * scatter * 0.4,
      ],
      radius: radius * Math.min(1.1, Math.max(0.9, swell)),
    }));
  };
  return [side(-1), side(1)];
}

function scaled(e: Ellipsoid, s: number): Ellipsoid {
  return { centre: mapPoint(e.centre, (c) => c * s), axes: mapPoint(e.axes, (a) => a * s) };
}

function scaledTube(knots: readonly Knot[], s: number, radius = s): Tube {
  return tubeOf(knots.map((k) => ({ at: mapPoint(k.at, (c) => c * s), radius: k.radius * radius })));
}

/** Draws the head of a seed. */
export function drawAnatomy(seed: number): Anatomy {
  const random = randomStream(seed, 'anatomy');
  const around = (value: number, spread: number): number => value * (1 + random.uniform(-spread, spread));
  const size = random.uniform(0.92, 1.04);
  const scalp = random.uniform(4.5, 7);
  const skull = random.uniform(5, 7.5);
  const brain: Ellipsoid = { centre: [0, 0, 16], axes: [around(59, 0.04), around(75, 0.04), around(56, 0.04)] };
  const shell = scalp + skull + 2.5;
  const wide = random.uniform(4.5, 9);
  const [leftVentricle, rightVentricle] = bothSides(
    random,
    [
      { at: [9, 34, 18], radius: wide * 0.7 },
      { at: [9, 20, 26], radius: wide },
      { at: [11, -8, 29], radius: wide * 0.9 },
      { at: [19, -32, 22], radius: wide * 1.1 },
      { at: [20, -50, 14], radius: wide * 0.5 },
    ],
    1.2,
  );
  const thick = random.uniform(7.2, 8.8);
  const [left, right] = bothSides(
    random,
    [
      { at: [23, 6, -13], radius: thick * 0.95 },
      { at: [28, -3, -14], radius: thick },
      { at: [30, -16, -9], radius: thick * 0.95 },
      { at: [27, -27, -1], radius: thick * 0.85 },
    ],
    1,
  );
  const nucleus = (centre: Point, axes: Point): Ellipsoid => ({
    centre: mapPoint(centre, (c) => c + random.normal()),
    axes: mapPoint(axes, (a) => around(a, 0.08)),
  });
  return {
    warp: [new Waves(random, 3, [70, 140], 2), new Waves(random, 3, [70, 140], 2), new Waves(random, 3, [70, 140], 2)],
    brain: scaled(brain, size),
    cranium: scaled({ centre: brain.centre, axes: mapPoint(brain.axes, (a) => a + shell / size) }, size),
    face: scaled({ centre: [0, 32, -44], axes: [around(53, 0.04), around(52, 0.04), 66] }, size),
    nose: scaled({ centre: [random.normal(), 80, -44], axes: [10, around(18, 0.2), 17] }, size),
    neck: scaledTube(
      [
        { at: [0, -22, -40], radius: around(48, 0.05) },
        { at: [0, -26, -120], radius: 46 },
      ],
      size,
    ),
    eyes: [-31, 31].map((x) => scaled(nucleus([x, 66, -22], [12, 12, 12]), size)),
    airway: scaledTube(
      [
        { at: [0, 68, -46], radius: 7 },
        { at: [0, 30, -44], radius: 11 },
        { at: [0, 14, -62], radius: 8 },
        { at: [0, 8, -120], radius: 8 },
      ],
      size,
    ),
    scalp,
    skull,
    floor: size * around(-27, 0.08),
    cerebellum: scaled(nucleus([0, -40, -32], [46, 29, 23]), size),
    brainstem: scaledTube(
      [
        { at: [0, -8, 2], radius: 13 },
        { at: [0, -12, -22], radius: 13 },
        { at: [0, -22, -50], radius: 9 },
        { at: [0, -30, -120], radius: 7 },
      ],
      size,
    ),
    folds: new Waves(random, 8, [22, 30], 1),
    foliation: new Waves(random, 3, [11, 15], 1),
    sulcusDepth: random.uniform(12, 17),
    cortex: random.uniform(3.4, 4.2),
    ventricles: [scaledTube(leftVentricle, size), scaledTube(rightVentricle, size)],
    thirdVentricle: scaled({ centre: [0, -2, 6], axes: [random.uniform(2, 4), 14, 12] }, size),
    nuclei: [-1, 1].flatMap((side) => [
      scaled(nucleus([side * 13, -10, 9], [9, 14, 9]), size),
      scaled(nucleus([side * 26, 10, 8], [7, 17, 11]), size),
    ]),
    hippocampi: [scaledTube(left, size, 1), scaledTube(right, size, 1)],
    sagittalSinus: random.uniform(2.5, 4),
  };
}
