import { randomStream } from './random.ts';
import { BLOOD, MATERIALS } from './tissue.ts';

/** How one scan turns materials into numbers. */
export interface Signal {
  readonly ofMaterial: Float64Array;
  readonly lesion: number;
  /** Standard deviation of the noise in each of the two channels of the receiver. */
  readonly noise: number;
  /** Blur in voxels: the partial volume of a real scan. */
  readonly blur: number;
  /** Smooth receiver field at a point of the world, about 1. */
  bias(x: number, y: number, z: number): number;
}

/** Draws contrast, receiver field and noise; with `contrastAgent` vessels and metastases are bright. */
export function drawSignal(seed: number, contrastAgent: boolean): Signal {
  const random = randomStream(seed, 'signal');
  const gain = random.uniform(2, 6);
  // One factor a signal, not a material: both hippocampi, and all grey matter, are of one tissue.
  const contrast = new Map<number, number>();
  const ofMaterial = Float64Array.from(MATERIALS, ({ t1 }, code) => {
    const factor = contrast.get(t1) ?? random.uniform(0.94, 1.06);
    contrast.set(t1, factor);
    return gain * factor * (contrastAgent && code === BLOOD ? 230 : t1);
  });
  const slope = [0, 1, 2].map(() => random.uniform(-0.12, 0.12) / 80);
  const bend = [0, 1, 2].map(() => random.uniform(-0.15, 0.15) / 6400);
  const cross = random.uniform(-0.1, 0.1) / 6400;
  const [sx = 0, sy = 0, sz = 0] = slope;
  const [bx = 0, by = 0, bz = 0] = bend;
  return {
    ofMaterial,
    lesion: gain * random.uniform(215, 250),
    noise: gain * random.uniform(2, 5),
    blur: random.uniform(0.35, 0.5),
    bias: (x, y, z) => Math.exp(sx * x + sy * y + sz * z + bx * x * x + by * y * y + bz * z * z + cross * x * y),
  };
}
