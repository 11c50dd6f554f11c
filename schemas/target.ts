import { z } from 'zod';

/** One entry of an adapter's `targets`: a parameter and the method that changes it, with the keys the method uses. */

const parameter = z.string().min(1);
/** Its bounds are the layer's and so a rule of the tensors, not of the schema. */
const rank = z.int();
const scale = z.number().default(1);
const norm_axis = z.enum(['in', 'out']);

export const targetSchema = z.discriminatedUnion('method', [
  z.strictObject({ parameter, method: z.literal('lora'), rank, scale }),
  z.strictObject({ parameter, method: z.literal('pissa'), rank, scale }),
  z.strictObject({ parameter, method: z.literal('loram'), rank, scale }),
  z.strictObject({ parameter, method: z.literal('bora'), rank, scale }),
  z.strictObject({ parameter, method: z.literal('dora'), norm_axis, rank, scale }),
  z.discriminatedUnion('form', [
    z.strictObject({ parameter, method: z.literal('pdora'), form: z.literal('factor'), norm_axis, rank }),
    z.strictObject({ parameter, method: z.literal('pdora'), form: z.literal('additive'), norm_axis, rank, scale }),
  ]),
  z.strictObject({ parameter, method: z.literal('map'), rank }),
  z.strictObject({ parameter, method: z.literal('delta') }),
]);

export type Target = z.infer<typeof targetSchema>;
export type Method = Target['method'];
export type LowRankTarget = Exclude<Target, { method: 'delta' }>;

export const METHODS = [
  'lora',
  'pissa',
  'loram',
  'dora',
  'pdora',
  'bora',
  'map',
  'delta',
] as const satisfies readonly Method[];
