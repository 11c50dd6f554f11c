import { existsSync, readFileSync } from 'node:fs';
import { z } from 'zod';
import { sharedPath } from './shared.ts';

const sampleSchema = z.object({ positions: z.array(z.number()), values: z.array(z.number()) });

const expectedSchema = z.object({
  base: z.object({ file: z.string(), digest: z.string() }),
  inputs: z.array(z.object({ file: z.string() })),
  runs: z.array(
    z.object({
      adapter: z.string().nullable(),
      activation: z.enum(['softmax', 'sigmoid']),
      logits_on_grid: sampleSchema.extend({ shape: z.array(z.number()), max_abs: z.number() }),
      probabilities_on_grid: sampleSchema,
      labels: z.object({ file: z.string() }),
      probabilities: z.object({ file: z.string() }).optional(),
    }),
  ),
});

/** What MONAI makes of whole volumes: one base, its inputs by channel, runs without and with an adapter. */
export interface ParityCase extends z.infer<typeof expectedSchema> {
  readonly name: string;
  readonly channels: readonly string[];
  file(name: string): Uint8Array<ArrayBuffer>;
}

function parityCase(name: string, channels: readonly string[]): ParityCase[] {
  const path = (file: string) => sharedPath('fixtures', 'parity', name, file);
  if (!existsSync(path('expected.json'))) return [];
  const expected = expectedSchema.parse(JSON.parse(readFileSync(path('expected.json'), 'utf8')));
  return [{ ...expected, name, channels, file: (file) => new Uint8Array(readFileSync(path(file))) }];
}

/** The cases with whole networks; none where the shared folder is absent and their tests are skipped. */
export function parityCases(): ParityCase[] {
  return [...parityCase('p1-legacy-f12', ['T1']), ...parityCase('p2-fixed-f12-2ch', ['FLAIR', 'T1c'])];
}
