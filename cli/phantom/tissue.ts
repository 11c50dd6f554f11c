import type { Anatomy } from './anatomy.ts';
import { depthInside, depthInTube } from './shapes.ts';

/** What a voxel is made of; finer than the labels, because signals differ within one. */
const CODE = {
  air: 0,
  skin: 1,
  fat: 2,
  bone: 3,
  marrow: 4,
  muscle: 5,
  eye: 6,
  csf: 7,
  blood: 8,
  grey: 9,
  nucleus: 10,
  hippocampusLeft: 11,
  hippocampusRight: 12,
  white: 13,
} as const;

interface MaterialFacts {
  /** Label in `tissue.nii.gz`: 0 background, 1 scalp and skull, 2 CSF, 3 grey matter, 4 white matter. */
  readonly tissue: number;
  /** Label in `deep-structures.nii.gz`: 1 left, 2 right. */
  readonly deep: number;
  /** T1-weighted signal in arbitrary units. */
  readonly t1: number;
}

/** By code. */
export const MATERIALS: readonly MaterialFacts[] = Object.values({
  air: { tissue: 0, deep: 0, t1: 0 },
  skin: { tissue: 1, deep: 0, t1: 120 },
  fat: { tissue: 1, deep: 0, t1: 220 },
  bone: { tissue: 1, deep: 0, t1: 22 },
  marrow: { tissue: 1, deep: 0, t1: 130 },
  muscle: { tissue: 1, deep: 0, t1: 85 },
  eye: { tissue: 1, deep: 0, t1: 35 },
  csf: { tissue: 2, deep: 0, t1: 32 },
  blood: { tissue: 2, deep: 0, t1: 45 },
  grey: { tissue: 3, deep: 0, t1: 98 },
  nucleus: { tissue: 3, deep: 0, t1: 116 },
  hippocampusLeft: { tissue: 3, deep: 1, t1: 98 },
  hippocampusRight: { tissue: 3, deep: 2, t1: 98 },
  white: { tissue: 4, deep: 0, t1: 150 },
} satisfies Record<keyof typeof CODE, MaterialFacts>);

export const BLOOD = CODE.blood;

const NOWHERE: MaterialFacts = { tissue: 0, deep: 0, t1: 0 };

/** What is known of a material by its code. */
export function facts(code: number): MaterialFacts {
  return MATERIALS[code] ?? NOWHERE;
}

/** Tells the material's code at a point of the head's own frame, in millimetres. */
export type MaterialAt = (x: number, y: number, z: number) => number;

/** The materials of one head. */
export function materialOf(a: Anatomy): MaterialAt {
  const sides = [
    { tube: a.hippocampi[0], code: CODE.hippocampusLeft },
    { tube: a.hippocampi[1], code: CODE.hippocampusRight },
  ];
  const sinusHeight = a.brain.centre[2] + a.brain.axes[2] * 0.1;

  /** Deep parts that lie inside the cerebrum whatever the cortex does; -1 where there is none. */
  function deep(x: number, y: number, z: number): number {
    for (const side of sides) {
      const d = depthInTube(side.tube, x, y, z);
      if (d > 0) return side.code;
      // A thin white coat, with CSF of the temporal horn above and outside, parts it from the cortex.
      if (d > -2.2) return CODE.white;
    }
    for (const v of a.ventricles) {
      const d = depthInTube(v, x, y, z);
      if (d > 0) return CODE.csf;
      if (d > -3) return CODE.white;
    }
    if (depthInside(a.thirdVentricle, x, y, z) > 0) return CODE.csf;
    for (const n of a.nuclei) if (depthInside(n, x, y, z) > 0) return CODE.nucleus;
    return -1;
  }

  function cerebrum(x: number, y: number, z: number, surface: number): number {
    const inner = deep(x, y, z);
    if (inner >= 0) return inner;
    const body = z < 40 && y > -36 && y < 40 ? z - 33 + (y * y) / 160 : 100;
    const fissure = Math.abs(x) + Math.max(0, 6 - body);
    let pial = Math.min(surface, fissure - 0.3);
    if (surface < a.sulcusDepth + a.cortex + 1) {
      const beyond = Math.max(0, surface - a.sulcusDepth);
      const sulcus = a.folds.distanceToZero(x, y, z) - 0.2;
      pial = Math.min(pial, Math.sqrt(sulcus * sulcus + beyond * beyond));
    }
    if (pial < 0.8) return CODE.csf;
    return pial < 0.8 + a.cortex ? CODE.grey : CODE.white;
  }

  function hindbrain(x: number, y: number, z: number): number {
    const stem = depthInTube(a.brainstem, x, y, z);
    if (stem > 0) return CODE.white;
    const surface = depthInside(a.cerebellum, x, y, z);
    if (surface < 1) return -1;
    if (surface > 13) return CODE.white;
    return a.foliation.distanceToZero(x, y, z) < 2 || surface < 3.4 ? CODE.grey : CODE.white;
  }

  /** Between the outer surface and the meninges. */
  function shell(outer: number, z: number, inCranium: boolean): number {
    if (outer < 2) return CODE.skin;
    if (outer < a.scalp) return CODE.fat;
    if (!inCranium) return CODE.muscle;
    const within = (outer - a.scalp) / a.skull;
    return within > 0.32 && within < 0.68 && z > a.floor ? CODE.marrow : CODE.bone;
  }

  return (px, py, pz) => {
    const x = px + a.warp[0].at(px, py, pz);
    const y = py + a.warp[1].at(px, py, pz);
    const z = pz + a.warp[2].at(px, py, pz);
    const cranium = depthInside(a.cranium, x, y, z);
    const outer = Math.max(
      cranium,
      z < 10 ? depthInside(a.face, x, y, z) : -1,
      z < 0 ? depthInside(a.nose, x, y, z) : -1,
      z < -10 ? depthInTube(a.neck, x, y, z) : -1,
    );
    if (outer <= 0) return CODE.air;
    const vault = cranium - a.scalp - a.skull;
    const aboveFloor = z - a.floor;
    if (vault > 0 && aboveFloor > -1.5) {
      const sinus = Math.sqrt(x * x + (vault - 1) * (vault - 1));
      if (z > sinusHeight && sinus < a.sagittalSinus) return CODE.blood;
      const hind = y < 5 && z < 6 ? hindbrain(x, y, z) : -1;
      if (hind >= 0) return hind;
      // The tentorium: a thin film of CSF between the occipital lobes and the cerebellum.
      if (y < -8 && z < 0 && depthInside(a.cerebellum, x, y, z) > -1.5) return CODE.csf;
      const surface = Math.min(depthInside(a.brain, x, y, z), aboveFloor);
      return surface > 0 ? cerebrum(x, y, z, surface) : CODE.csf;
    }
    const hind = z < 6 ? hindbrain(x, y, z) : -1;
    if (hind >= 0) return hind;
    if (vault > 0 && y < 5 && z > a.floor - 32) {
      const fossa = Math.max(depthInside(a.cerebellum, x, y, z), depthInTube(a.brainstem, x, y, z));
      if (fossa > -3) return CODE.csf;
      if (fossa > -8) return CODE.bone;
    }
    if (z < 6 && depthInTube(a.brainstem, x, y, z) > -3) return CODE.csf;
    for (const eye of a.eyes) {
      const d = depthInside(eye, x, y, z);
      if (d > 0) return CODE.eye;
      if (d > -5 && outer > 3) return CODE.fat;
    }
    if (z < a.floor - 6 && depthInTube(a.airway, x, y, z) > 0) return CODE.bone;
    if (vault > 0 && aboveFloor > -7) return CODE.bone;
    return shell(outer, z, outer === cranium && z > a.floor - 8);
  };
}
