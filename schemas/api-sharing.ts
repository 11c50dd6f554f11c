import { z } from 'zod';
import { nameSchema } from './manifest-parts.ts';
import { isAliasName } from './names.ts';

/** Aliases and grants of the public API. */

export const aliasNameSchema = nameSchema.refine(isAliasName, 'expected a name with a letter, other than latest');

export const aliasSetSchema = z.strictObject({
  version: z.int().min(1),
  expected: z
    .int()
    .min(1)
    .nullable()
    .meta({ description: 'The version that the alias is at now; null where there must be no such alias yet' }),
});

export const aliasSchema = z.object({
  adapter: z.string().meta({ description: 'tenant/name' }),
  alias: z.string(),
  version: z.int().min(1),
});

/** Everyone, where the operator allows it. */
export const EVERYONE = '*';
export const granteeSchema = z.union(
  [nameSchema, z.literal(EVERYONE)],
  `expected a tenant, or ${EVERYONE} for everyone`,
);

export const grantSchema = z.object({ tenant: granteeSchema.meta({ description: 'Who may use the adapter' }) });
