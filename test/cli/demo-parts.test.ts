import { decode } from 'fast-png';
import { describe, expect, it } from 'vitest';
import { Canvas } from '../../cli/demo/canvas.ts';
import { dice } from '../../cli/demo/dice.ts';
import { drawPicture } from '../../cli/demo/picture.ts';
import { GRIDS } from '../../cli/phantom/grid.ts';
import { makePhantom } from '../../cli/phantom/phantom.ts';

function is(label: number): boolean {
  return label === 1;
}

function mean(all: readonly number[]): number {
  return all.reduce((sum, x) => sum + x, 0) / all.length;
}

describe('dice', () => {
  it('is twice the overlap over both sizes', () => {
    expect(dice([1, 1, 0, 2], [1, 0, 1, 1], is)).toBeCloseTo(2 / 5, 12);
    expect(dice([1, 0], [0, 1], is)).toBe(0);
    expect(dice([1, 2], [1, 0], is)).toBe(1);
    expect(dice([0, 2], [0, 0], is)).toBe(1);
  });
});

describe('the picture', () => {
  const RED = [255, 0, 0] as const;
  const BLUE = [0, 0, 255] as const;

  it.each(GRIDS.filter((grid) => grid !== 'any'))('shows the left structure on the side marked L, grid %s', (grid) => {
    const { image, affine, shape, deep } = makePhantom({ seed: 3, kind: 'healthy', grid });
    const labels = { shape, affine, data: deep };
    const names = [
      { value: 1, name: 'left', color: RED },
      { value: 2, name: 'right', color: BLUE },
    ];
    const volume = { shape, affine, data: image };
    const picture = drawPicture({ image: volume, truth: labels, found: labels, title: 'x', labels: names });
    const { data, width, height } = decode(picture.toPng());
    // Axial and coronal panels are the first two of three; the marked row is the lower one.
    const panel = width / 3;
    for (const column of [0, 1]) {
      const places: { red: number[]; blue: number[] } = { red: [], blue: [] };
      for (let y = Math.floor(height / 2); y < height - 30; y++) {
        for (let x = Math.ceil(column * panel); x < (column + 1) * panel; x++) {
          const [r = 0, g = 0, b = 0] = data.subarray((y * width + x) * 3, (y * width + x) * 3 + 3);
          if (r - g > 80) places.red.push(x - column * panel);
          if (b - g > 80) places.blue.push(x - column * panel);
        }
      }
      expect(places.red.length).toBeGreaterThan(100);
      expect(mean(places.red)).toBeGreaterThan(panel / 2);
      expect(mean(places.blue)).toBeLessThan(panel / 2);
    }
  });

  it('is a PNG of the pixels drawn', () => {
    const canvas = new Canvas(4, 3);
    canvas.set(2, 1, [10, 20, 30]);
    canvas.set(9, 9, [255, 255, 255]);
    const { width, height, channels, data } = decode(canvas.toPng());
    expect([width, height, channels]).toEqual([4, 3, 3]);
    expect([...data.subarray(18, 21)]).toEqual([10, 20, 30]);
    expect(data.filter((value) => value !== 0)).toHaveLength(3);
  });
});
