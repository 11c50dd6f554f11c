import { expect, test } from 'vitest';
import { type Slot, sessionKind, type Tensor } from '../../../gpu-runner/adapter/compiled.ts';
import type { FeedableAdapter } from '../../../gpu-runner/network/feeds.ts';
import { type Architecture, architectureSchema, baseParameters } from '../../../schemas/architecture.ts';
import { selftestInput } from '../../../schemas/selftest.ts';
import golden from '../../fixtures/network-golden.json' with { type: 'json' };
import { count, hashedTensors, hashedValues, largestMiss, windowLogits } from '../../support/network.ts';

/** Far below the 1e-3 that must be reached: float32 against MONAI in float64. */
const MISS_MAX = 2e-5;

interface GoldenAdapter {
  readonly classes: number;
  readonly slots: Readonly<Record<string, number>>;
  readonly replaced: readonly string[];
}

function adapterOf({ classes, slots, replaced }: GoldenAdapter, a: Architecture, used: number): FeedableAdapter {
  const shapes = baseParameters(a);
  let start = used;
  const take = (shape: readonly number[]) => {
    const values = hashedValues(start, shape);
    start += count(shape);
    return values;
  };
  const made = new Map<string, Slot>();
  for (const [parameter, rank] of Object.entries(slots)) {
    const [rows = 0, cols = 0] = shapes.get(parameter) ?? [];
    const [up, down] = [take([rows, rank]), take([rank, cols])];
    const [cOut, cIn] = [take([rows]).map((value) => 1 + value), take([cols]).map((value) => 1 + value)];
    made.set(parameter, { parameter, rank, up, down, cOut, cIn });
  }
  const tensors = new Map<string, Tensor>();
  for (const name of replaced) {
    const shape = shapes.get(name) ?? [];
    const own = name.startsWith('out.') ? [classes, ...shape.slice(1)] : shape;
    tensors.set(name, { shape: own, data: take(own) });
  }
  return { kind: sessionKind(replaced), slots: made, replaced: tensors };
}

function windowOf([i = 0, j = 0, k = 0]: readonly number[]) {
  return [i, j, k] as const;
}

test.each(golden.cases)('logits are MONAI’s: feature size $name', async (expected) => {
  // One case has more channels than a file may: the network itself has no such limit.
  const { in_channels, ...rest } = expected.architecture;
  const architecture = { ...architectureSchema.parse({ ...rest, in_channels: 1 }), in_channels };
  const { tensors, used } = hashedTensors(architecture);
  const window = windowOf(expected.window);
  const adapter = expected.adapter === null ? null : adapterOf(expected.adapter, architecture, used);
  const logits = await windowLogits(architecture, tensors, adapter, window, selftestInput(in_channels * count(window)));
  expect(logits).toHaveLength((expected.adapter?.classes ?? architecture.out_channels) * count(window));
  expect(largestMiss(logits, expected.positions, expected.expected, expected.largest)).toBeLessThan(MISS_MAX);
});
