import { z } from 'zod';
import { checkWindow } from './architecture.ts';
import {
  CHANNEL_NAMES_MAX,
  LABELS_MAX,
  OVERLAP_MAX,
  SELFTEST_POSITIONS_MAX,
  SELFTEST_POSITIONS_MIN,
  SPACING_MAX_MM,
  SPACING_MIN_MM,
} from './limits.ts';
import { DIGEST_PATTERN, NAME_PATTERN } from './names.ts';
import { isRecord } from './record.ts';

/** The objects that base and adapter manifests share. Every one refuses a key it does not know. */

export const nameSchema = z.string().regex(NAME_PATTERN, `expected a name that matches ${NAME_PATTERN.source}`);
export const digestSchema = z.string().regex(DIGEST_PATTERN, 'expected sha256: and 64 hex digits');

/** A window `[i,j,k]` in voxels that the network can run. */
const windowSchema = z.tuple([z.int(), z.int(), z.int()]).superRefine((roi, context) => {
  const fault = checkWindow(roi);
  if (fault !== null) context.addIssue({ code: 'custom', message: fault });
});

const labelValueSchema = z
  .int()
  .min(0)
  .max(LABELS_MAX - 1);
const colourByteSchema = z.int().min(0).max(255);

export const labelSchema = z.strictObject({
  value: labelValueSchema,
  name: z.string().min(1),
  color: z.tuple([colourByteSchema, colourByteSchema, colourByteSchema]).optional(),
  code: z.strictObject({ scheme: z.string().min(1), value: z.string().min(1), meaning: z.string() }).optional(),
});

export const regionSchema = z.strictObject({ name: z.string().min(1), value: labelValueSchema });

/** Three letters, one of each pair of directions, in the order of the voxel axes. */
const orientationSchema = z.string().superRefine((letters, context) => {
  const axes = ['RL', 'AP', 'SI'].map((pair) => letters.split('').filter((letter) => pair.includes(letter)).length);
  if (letters.length === 3 && axes.every((count) => count === 1)) return;
  context.addIssue({ code: 'custom', message: 'expected one of R or L, of A or P and of S or I, such as RAS' });
});

const spacingSideSchema = z.number().min(SPACING_MIN_MM).max(SPACING_MAX_MM);
const spacingSchema = z.tuple([spacingSideSchema, spacingSideSchema, spacingSideSchema]);

const intensitySchema = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.literal('none') }),
  z.strictObject({ kind: z.literal('zscore'), mask: z.enum(['nonzero', 'positive', 'all']) }),
  z.strictObject({
    kind: z.literal('range'),
    from: z
      .tuple([z.number(), z.number()])
      .refine(([low, high]) => low !== high, 'expected two different numbers, the map divides by their difference'),
    to: z.tuple([z.number(), z.number()]),
    clip: z.boolean(),
  }),
]);

export const preprocessingSchema = z.strictObject({
  orientation: orientationSchema.nullable().default(null),
  spacing: spacingSchema.nullable().default(null),
  intensity: intensitySchema.default({ kind: 'none' }),
});

export const inferenceSchema = z.strictObject({
  roi_size: windowSchema,
  overlap: z.number().min(0).max(OVERLAP_MAX),
  blend: z.enum(['gaussian', 'constant']),
});

export const postprocessingSchema = z.strictObject({
  largest_component: z.array(labelValueSchema).max(LABELS_MAX).default([]),
});

export const selftestSchema = z.strictObject({
  roi_size: windowSchema,
  positions: z.array(z.int().min(0)).min(SELFTEST_POSITIONS_MIN).max(SELFTEST_POSITIONS_MAX),
  expected: z.array(z.number()).min(SELFTEST_POSITIONS_MIN).max(SELFTEST_POSITIONS_MAX),
});

export const activationSchema = z.enum(['softmax', 'sigmoid']);
export const labelsSchema = z.array(labelSchema).max(LABELS_MAX);
export const regionsSchema = z.array(regionSchema).min(1).max(LABELS_MAX);
export const channelsSchema = z
  .array(z.string().min(1))
  .min(1)
  .max(CHANNEL_NAMES_MAX)
  .refine((names) => new Set(names).size === names.length, 'expected each channel once');

/** Free for the trainer to fill and kept as it is. Of it `inputs` alone is read, for warnings (training-inputs.ts). */
const provenanceSchema = z.custom<Readonly<Record<string, unknown>>>(isRecord, 'expected an object');

/** Keys that mean the same in a base and in an adapter. */
export const sharedKeys = {
  name: nameSchema,
  description: z.string().default(''),
  channels: channelsSchema,
  preprocessing: preprocessingSchema.prefault({}),
  inference: inferenceSchema,
  activation: activationSchema,
  labels: labelsSchema,
  regions: regionsSchema.optional(),
  postprocessing: postprocessingSchema.prefault({}),
  selftest: selftestSchema,
  provenance: provenanceSchema.default({}),
  licence: z.string().default(''),
  intended_use: z.string().default(''),
};
