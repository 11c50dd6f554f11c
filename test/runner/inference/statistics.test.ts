import { expect, it } from 'vitest';
import { LabelTally } from '../../../gpu-runner/inference/statistics.ts';

// Six voxels; the last one's channels are equal. PyTorch's `Categorical` and `Bernoulli` in float64 gave what is expected.
const LOGITS = [
  [2, -1, 0.5, 30, -3, 0],
  [1, 3, 0.5, -10, -2.5, 0],
  [0, 2.5, -4, -40, -2.75, 0],
];

const close = (value: number) => expect.closeTo(value, 6);

function inPlanes(add: (logits: Float32Array, first: number, past: number) => void): void {
  for (const [first, past] of [
    [0, 2],
    [2, 6],
  ] as const) {
    add(Float32Array.from(LOGITS.flatMap((channel) => channel.slice(first, past))), first, past);
  }
}

it('sums the largest of softmax’s probabilities and their entropy for each label, over all planes', () => {
  const labels = Uint8Array.of(0, 1, 0, 0, 1, 0);
  const tally = new LabelTally(2);
  inPlanes((logits, first, past) => tally.addClasses(logits, labels.subarray(first, past)));
  expect(tally.statistics()).toEqual([
    { value: 0, voxels: 4, probability: close(2.4958123809874704), entropy: close(2.6545513530841465) },
    { value: 1, voxels: 2, probability: close(1.0346717789471378), entropy: close(1.7952442618518907) },
  ]);
});

it('sums for regions the probability of the one that decided, or that none is there', () => {
  const values = [2, 1, 3];
  const labels = Uint16Array.of(3, 3, 1, 2, 0, 3);
  const tally = new LabelTally(3);
  inPlanes((logits, first, past) => tally.addRegions(logits, values, labels.subarray(first, past)));
  expect(tally.statistics()).toEqual([
    { value: 0, voxels: 1, probability: close(0.9241418199787564), entropy: close(0.2685351843456587) },
    { value: 1, voxels: 1, probability: close(0.6224593312018546), entropy: close(0.6628473185791794) },
    { value: 2, voxels: 1, probability: close(1), entropy: close(0) },
    { value: 3, voxels: 3, probability: close(1.9241418199787566), entropy: close(1.6548295454655488) },
  ]);
});
