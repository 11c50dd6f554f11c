import { describe, expect, it } from 'vitest';
import { chooseTask, labelsOf } from '../../../cli/exchange/task.ts';
import { hashedBase, SMALL } from '../../support/network.ts';

const manifest = {
  ...hashedBase(SMALL).manifest,
  labels: [
    { value: 0, name: 'background' },
    { value: 1, name: 'tissue' },
  ],
};
const own = { changed: false, channels: 2 };
const another = { changed: true, channels: 3 };

describe('the task of an imported adapter', () => {
  it("is the base's where the head is, and says so", () => {
    const { keys, fromBase } = chooseTask({ name: 'x' }, manifest, own);
    expect(keys).toEqual({
      name: 'x',
      activation: 'softmax',
      labels: manifest.labels,
      postprocessing: manifest.postprocessing,
      channels: ['T1'],
      preprocessing: manifest.preprocessing,
      inference: manifest.inference,
    });
    expect(fromBase).toEqual(['activation', 'labels', 'postprocessing', 'channels', 'preprocessing', 'inference']);
  });

  it('needs labels for a head of its own, and says how many', () => {
    expect(() => chooseTask({ name: 'x' }, manifest, another)).toThrow(/--labels FILE\.json with 3 labels/);
  });

  it("takes the rest from the base, but nothing that belongs to the base's head", () => {
    const labels = labelsOf(['background', 'left', 'right']);
    const { keys, fromBase } = chooseTask(
      { name: 'x', labels },
      { ...manifest, postprocessing: { largest_component: [1] } },
      another,
    );
    expect(keys).toMatchObject({ activation: 'softmax', labels });
    expect(keys).not.toHaveProperty('postprocessing');
    expect(fromBase).toEqual(['channels', 'preprocessing', 'inference']);
  });

  it.each(['targets', 'base', 'selftest', 'replaced', 'lables'])('has no %s to be given', (key) => {
    expect(() => chooseTask({ name: 'x', [key]: [] }, manifest, own)).toThrow(key);
  });

  it('reads labels as names or as the objects of a manifest', () => {
    const right = { value: 1, name: 'right', color: [1, 2, 3] };
    expect(labelsOf(['left', right])).toEqual([{ value: 0, name: 'left' }, right]);
    expect(() => labelsOf({ left: 1 })).toThrow(/--labels/);
  });
});
