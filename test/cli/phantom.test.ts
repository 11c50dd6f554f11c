import { describe, expect, it } from 'vitest';
import { GRIDS, type GridName } from '../../cli/phantom/grid.ts';
import { makePhantom, type Phantom } from '../../cli/phantom/phantom.ts';

/** World position of a voxel by the definition of a NIfTI affine. */
function worldOf({ affine, shape }: Phantom, at: number): [number, number, number] {
  const [, nj, nk] = shape;
  const index = [Math.floor(at / (nj * nk)), Math.floor(at / nk) % nj, at % nk, 1];
  const row = (r: number): number => index.reduce((sum, value, c) => sum + value * (affine[r * 4 + c] ?? 0), 0);
  return [row(0), row(1), row(2)];
}

function placesOf(phantom: Phantom, labels: Uint8Array, label: number): [number, number, number][] {
  const places: [number, number, number][] = [];
  for (const [at, value] of labels.entries()) if (value === label) places.push(worldOf(phantom, at));
  return places;
}

function mean(places: readonly (readonly [number, number, number])[]): [number, number, number] {
  const sum = (axis: 0 | 1 | 2): number => places.reduce((total, place) => total + place[axis], 0) / places.length;
  return [sum(0), sum(1), sum(2)];
}

function voxelVolume({ affine: a }: Phantom): number {
  const at = (n: number): number => a[n] ?? Number.NaN;
  return Math.abs(
    at(0) * (at(5) * at(10) - at(6) * at(9)) -
      at(1) * (at(4) * at(10) - at(6) * at(8)) +
      at(2) * (at(4) * at(9) - at(5) * at(8)),
  );
}

/** The longest distance between two places: the length of a curved structure's chord. */
function extent(places: readonly (readonly [number, number, number])[]): number {
  const some = places.filter((_, n) => n % 3 === 0);
  let longest = 0;
  for (const a of some) {
    for (const b of some) longest = Math.max(longest, Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2]));
  }
  return longest;
}

const GRIDS_OF_A_SCAN = GRIDS.filter((grid) => grid !== 'any');

describe('a phantom', () => {
  it('is the same to the last voxel for the same seed, and another for another seed', () => {
    const one = makePhantom({ seed: 5, kind: 'metastases', grid: '2mm' });
    const again = makePhantom({ seed: 5, kind: 'metastases', grid: '2mm' });
    const other = makePhantom({ seed: 6, kind: 'metastases', grid: '2mm' });
    expect(again).toEqual(one);
    expect(other.tissue).not.toEqual(one.tissue);
  });

  it.each(GRIDS_OF_A_SCAN)('has its left structure on the left of the world on the grid %s', (grid) => {
    for (const seed of [1, 2]) {
      const phantom = makePhantom({ seed, kind: 'healthy', grid });
      const left = placesOf(phantom, phantom.deep, 1);
      const right = placesOf(phantom, phantom.deep, 2);
      expect(left.length).toBeGreaterThan(0);
      expect(left.every(([x]) => x < 0)).toBe(true);
      expect(right.every(([x]) => x > 0)).toBe(true);
    }
  });

  it.each(['1.5mm', 'aniso', 'oblique'] as const)(
    'is the same head in the world on 2mm and on %s',
    (grid: GridName) => {
      const coarse = makePhantom({ seed: 9, kind: 'metastases', grid: '2mm' });
      const other = makePhantom({ seed: 9, kind: 'metastases', grid });
      for (const [labels, others, label] of [
        [coarse.deep, other.deep, 1],
        [coarse.deep, other.deep, 2],
        [coarse.tissue, other.tissue, 4],
        [coarse.metastasis, other.metastasis, 1],
      ] as const) {
        const [here, there] = [placesOf(coarse, labels, label), placesOf(other, others, label)];
        const [a, b] = [mean(here), mean(there)];
        expect(Math.hypot(a[0] - b[0], a[1] - b[1], a[2] - b[2])).toBeLessThan(0.7);
        expect((there.length * voxelVolume(other)) / (here.length * voxelVolume(coarse))).toBeCloseTo(1, 1);
      }
    },
  );

  it('has structures of a size that 2 mm resolve', () => {
    for (const seed of [11, 12, 13]) {
      const phantom = makePhantom({ seed, kind: 'healthy', grid: '2mm' });
      for (const label of [1, 2]) {
        const places = placesOf(phantom, phantom.deep, label);
        const millilitres = (places.length * voxelVolume(phantom)) / 1000;
        expect(extent(places)).toBeGreaterThan(38);
        expect(extent(places)).toBeLessThan(60);
        expect(millilitres).toBeGreaterThan(4);
        expect(millilitres).toBeLessThan(13);
      }
    }
  });

  it('is exactly zero in air and positive in the head, tissues in the order of T1', () => {
    const { image, tissue } = makePhantom({ seed: 21, kind: 'healthy', grid: '2mm' });
    const sums = [0, 0, 0, 0, 0];
    const counts = [0, 0, 0, 0, 0];
    let wrong = 0;
    for (const [at, label] of tissue.entries()) {
      if ((image[at] ?? 0) > 0 !== (label !== 0)) wrong += 1;
      sums[label] = (sums[label] ?? 0) + (image[at] ?? 0);
      counts[label] = (counts[label] ?? 0) + 1;
    }
    expect(wrong).toBe(0);
    const [, , csf = 0, grey = 0, white = 0] = sums.map((sum, label) => sum / (counts[label] ?? 1));
    expect(csf).toBeLessThan(grey);
    expect(grey).toBeLessThan(white);
  });

  it('has metastases of 4 to 10 mm radius in the brain, brighter than white matter, and none when healthy', () => {
    for (const seed of [31, 32, 33]) {
      const ill = makePhantom({ seed, kind: 'metastases', grid: '2mm' });
      const healthy = makePhantom({ seed, kind: 'healthy', grid: '2mm' });
      const count = ill.metastasis.reduce((sum, value) => sum + value, 0);
      const volume = count * voxelVolume(ill);
      expect(volume).toBeGreaterThan((4 / 3) * Math.PI * (4 * 0.8) ** 3);
      expect(volume).toBeLessThan(5 * (4 / 3) * Math.PI * (10 * 1.2) ** 3);
      expect(healthy.metastasis.every((value) => value === 0)).toBe(true);
      expect(healthy.tissue).toEqual(ill.tissue);
      let [lesion, white, whites, outside] = [0, 0, 0, 0];
      for (const [at, value] of ill.metastasis.entries()) {
        if (value === 1) lesion += (ill.image[at] ?? 0) / count;
        else if (ill.tissue[at] === 4) {
          white += ill.image[at] ?? 0;
          whites += 1;
        }
        if (value === 1 && ((ill.tissue[at] ?? 0) < 2 || ill.deep[at] !== 0)) outside += 1;
      }
      expect(outside).toBe(0);
      expect(lesion).toBeGreaterThan((1.2 * white) / whites);
    }
  });

  it('takes any of the grids where the seed decides', () => {
    const shapes = [1, 2, 3, 4, 5].map((seed) => makePhantom({ seed, grid: 'any' }).shape.join('x'));
    expect(new Set(shapes).size).toBeGreaterThan(2);
  });
});
