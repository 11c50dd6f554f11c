import { drawAnatomy } from './anatomy.ts';
import { blur } from './blur.ts';
import { drawGrid, drawPose, type GridName, voxelToHead } from './grid.ts';
import { drawLesions, type Lesion, lesionRadius } from './lesions.ts';
import { randomStream } from './random.ts';
import type { Point } from './shapes.ts';
import { drawSignal } from './signal.ts';
import { facts, materialOf } from './tissue.ts';

export interface PhantomOptions {
  readonly seed: number;
  /** `healthy`: T1; `metastases`: T1 with contrast agent and one to five lesions. Left out, the seed decides. */
  readonly kind?: 'healthy' | 'metastases';
  readonly grid: GridName;
}

/** A labelled head; every array is in C order of `shape`. */
export interface Phantom {
  readonly shape: Point;
  /** Row-major 4x4, voxel index to RAS+ millimetres. */
  readonly affine: Float64Array;
  readonly image: Float32Array;
  /** 0 background, 1 scalp and skull, 2 CSF, 3 grey matter, 4 white matter; lesions keep the tissue under them. */
  readonly tissue: Uint8Array;
  /** 0 or 1. */
  readonly metastasis: Uint8Array;
  /** 0, 1 left hippocampus, 2 right. */
  readonly deep: Uint8Array;
}

interface Surroundings {
  readonly lesion: Lesion;
  readonly radius: number;
}

function nearest(lesions: readonly Lesion[], x: number, y: number, z: number): Surroundings | undefined {
  let found: Surroundings | undefined;
  for (const lesion of lesions) {
    const radius = lesionRadius(lesion, x, y, z);
    if (radius !== undefined && (found === undefined || radius < found.radius)) found = { lesion, radius };
  }
  return found;
}

/** Brightness of a lesion mixed into the signal around it: soft at the border, dimmer in the middle of a large one. */
function enhance(background: number, bright: number, { lesion, radius }: Surroundings): number {
  const inside = 1 / (1 + Math.exp(((radius - 1) * lesion.radius) / 0.45));
  const dim = lesion.core + (1 - lesion.core) * Math.min(1, (radius / 0.7) ** 4);
  return background + (bright * dim - background) * inside;
}

/**
 * Makes the head of a seed. Anatomy lives in the head's own frame and is sampled at every voxel's place in the world,
 * so the affine is right by construction and one seed is one head on whatever grid it is scanned.
 */
export function makePhantom(options: PhantomOptions): Phantom {
  const { seed } = options;
  const kind = options.kind ?? randomStream(seed, 'kind').choose(['healthy', 'metastases'] as const);
  const pose = drawPose(seed);
  const { shape, affine } = drawGrid(seed, options.grid, pose);
  const toHead = voxelToHead({ shape, affine }, pose);
  const material = materialOf(drawAnatomy(seed));
  const lesions = kind === 'metastases' ? drawLesions(seed, material) : [];
  const signal = drawSignal(seed, kind === 'metastases');

  const voxels = shape[0] * shape[1] * shape[2];
  const image = new Float32Array(voxels);
  const tissue = new Uint8Array(voxels);
  const metastasis = new Uint8Array(voxels);
  const deep = new Uint8Array(voxels);
  forEachVoxel(shape, toHead, (at, x, y, z) => {
    const found = material(x, y, z);
    if (found === 0) return;
    tissue[at] = facts(found).tissue;
    deep[at] = facts(found).deep;
    let value = signal.ofMaterial[found] ?? 0;
    const lesion = lesions.length > 0 ? nearest(lesions, x, y, z) : undefined;
    if (lesion !== undefined) {
      if (lesion.radius < 1) metastasis[at] = 1;
      value = enhance(value, signal.lesion, lesion);
    }
    image[at] = value;
  });

  blur(image, shape, signal.blur);
  const noise = randomStream(seed, `noise ${options.grid}`);
  forEachVoxel(shape, affine, (at, x, y, z) => {
    // Air is masked to exactly zero, as skull-stripped and defaced research data have it.
    if (tissue[at] === 0) image[at] = 0;
    else {
      const clean = (image[at] ?? 0) * signal.bias(x, y, z);
      image[at] = Math.max(
        1,
        Math.round(Math.hypot(clean + signal.noise * noise.normal(), signal.noise * noise.normal())),
      );
    }
  });
  return { shape, affine, image, tissue, metastasis, deep };
}

/** Calls `visit` with the flat index of every voxel and where the 3x4 matrix `m` puts it. */
function forEachVoxel(
  shape: Point,
  m: Float64Array,
  visit: (at: number, x: number, y: number, z: number) => void,
): void {
  const [m0 = 0, m1 = 0, m2 = 0, m3 = 0, m4 = 0, m5 = 0, m6 = 0, m7 = 0, m8 = 0, m9 = 0, m10 = 0, m11 = 0] = m;
  let at = 0;
  for (let i = 0; i < shape[0]; i++) {
    for (let j = 0; j < shape[1]; j++) {
      const x = m0 * i + m1 * j + m3;
      const y = m4 * i + m5 * j + m7;
      const z = m8 * i + m9 * j + m11;
      for (let k = 0; k < shape[2]; k++) visit(at++, x + m2 * k, y + m6 * k, z + m10 * k);
    }
  }
}
