import { describe, expect, it } from 'vitest';
import { activate, argmaxLabels, labelArray, regionLabels } from '../../../gpu-runner/inference/labels.ts';

describe('argmaxLabels', () => {
  it('takes the channel with the largest logit, the first of equals', () => {
    // Channels of four voxels: 0 wins, 2 wins, 0 and 1 are equal, all are equal.
    const logits = Float32Array.of(3, 0, 1, -1, 2, 0.5, 1, -1, 1, 9, 0, -1);
    const labels = new Uint8Array(4).fill(9);
    argmaxLabels(logits, 3, labels);
    expect([...labels]).toEqual([0, 2, 0, 0]);
  });

  it('has room for more labels than a byte', () => {
    const logits = new Float32Array(300);
    logits[299] = 1;
    const labels = labelArray(1, 299);
    argmaxLabels(logits, 300, labels);
    expect([...labels]).toEqual([299]);
    expect(labelArray(1, 255)).toBeInstanceOf(Uint8Array);
  });
});

describe('regionLabels', () => {
  it('takes the last region of the list whose probability is at least one half, else 0', () => {
    // Four voxels: none; the first alone; the first two; all, the last one at exactly one half.
    const logits = Float32Array.of(-1, 5, 5, 5, -1, -0.01, 1, 5, -1, -2, -2, 0);
    const labels = new Uint8Array(4).fill(9);
    regionLabels(logits, [2, 1, 3], labels);
    expect([...labels]).toEqual([0, 2, 1, 3]);
  });
});

describe('activate', () => {
  it('gives the logistic function of every channel by itself', () => {
    // log(3): 3 / (1 + 3).
    const [half, threeQuarters, nothing] = activate(Float32Array.of(0, Math.log(3), -200), 3, 'sigmoid');
    expect(half).toBe(0.5);
    expect(threeQuarters).toBeCloseTo(0.75, 6);
    expect(nothing).toBe(0);
  });

  it('gives shares of the whole over the channels, however large the logits', () => {
    // Two voxels: weights 1 to 3, and a difference beyond what exp can hold.
    const shares = activate(Float32Array.of(0, 1000, Math.log(3), -1000), 2, 'softmax');
    expect([...shares].map((share) => Math.round(share * 1e6) / 1e6)).toEqual([0.25, 1, 0.75, 0]);
  });
});
