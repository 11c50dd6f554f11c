import { describe, expect, it } from 'vitest';
import { keepLargestComponent } from '../../../gpu-runner/volume/components.ts';
import type { Vec3 } from '../../../gpu-runner/volume/volume.ts';

/** Planes of rows of digits, one digit a voxel. */
function parse(planes: readonly (readonly string[])[]): { shape: Vec3; labels: Uint8Array } {
  const text = planes.flat().join('');
  const shape: Vec3 = [planes.length, planes[0]?.length ?? 0, planes[0]?.[0]?.length ?? 0];
  return { shape, labels: Uint8Array.from(text, Number) };
}

function kept(planes: readonly (readonly string[])[], values: readonly number[]): string[] {
  const { shape, labels } = parse(planes);
  keepLargestComponent(labels, shape, values);
  const text = labels.join('');
  return Array.from({ length: text.length / shape[2] }, (_, row) => text.slice(row * shape[2], (row + 1) * shape[2]));
}

describe('the largest component', () => {
  it('stays, and the smaller ones become 0', () => {
    expect(kept([['1100011', '1100001']], [1])).toEqual(['1100000', '1100000']);
  });

  it.each([
    ['a face', [['100'], ['100']]],
    [
      'an edge',
      [
        ['100', '000'],
        ['000', '100'],
      ],
    ],
    [
      'a corner',
      [
        ['100', '000'],
        ['000', '010'],
      ],
    ],
    [
      'a corner the other way',
      [
        ['010', '000'],
        ['000', '100'],
      ],
    ],
    [
      'a corner across rows that fall',
      [
        ['000', '010'],
        ['100', '000'],
      ],
    ],
  ])('holds together through %s', (_, planes) => {
    expect(kept(planes, [1])).toEqual(planes.flat());
  });

  it('does not reach around from the end of one row to the start of the next', () => {
    expect(kept([['1101', '0000', '1000']], [1])).toEqual(['1100', '0000', '0000']);
    expect(kept([['0001'], ['1000'], ['1000']], [1])).toEqual(['0000', '1000', '1000']);
  });

  it('of two as large is the one with the first voxel in C order', () => {
    expect(kept([['0110', '0000', '1100']], [1])).toEqual(['0110', '0000', '0000']);
    expect(
      kept(
        [
          ['0001', '0000'],
          ['1000', '0000'],
          ['0000', '0000'],
        ],
        [1],
      )[0],
    ).toBe('0001');
  });

  it('is found for each label on its own, and other labels stay as they are', () => {
    expect(kept([['110200', '000202', '303303']], [1, 2])).toEqual(['110200', '000200', '303303']);
    expect(kept([['110200', '000202', '303303']], [3])).toEqual(['110200', '000202', '003300']);
  });

  it('leaves everything where no label is named, or only the background', () => {
    expect(kept([['1010']], [])).toEqual(['1010']);
    expect(kept([['1010']], [0, 7])).toEqual(['1010']);
  });

  it('joins branches that meet late', () => {
    expect(kept([['10101', '10101', '11111', '00000', '10111']], [1])).toEqual([
      '10101',
      '10101',
      '11111',
      '00000',
      '00000',
    ]);
  });

  it('joins two runs that touch the same two runs of the next row', () => {
    // The second row's label 2 ends where label 1 of the first row ends.
    expect(kept([['1100', '2211', '0000', '1110']], [1])).toEqual(['1100', '2211', '0000', '0000']);
  });

  it('handles uint16 labels', () => {
    const labels = Uint16Array.of(300, 300, 0, 300, 0, 256 + 44);
    keepLargestComponent(labels, [1, 1, 6], [300]);
    expect([...labels]).toEqual([300, 300, 0, 0, 0, 0]);
  });
});
