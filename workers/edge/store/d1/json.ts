import { z } from 'zod';
import { formatProblemSchema } from '../../../../schemas/api.ts';
import {
  activationSchema,
  channelsSchema,
  inferenceSchema,
  labelsSchema,
  regionsSchema,
} from '../../../../schemas/manifest-parts.ts';
import type { Card } from '../words.ts';

/** What D1 keeps as JSON, read back. */

const cardSchema = z.object({
  description: z.string(),
  channels: channelsSchema,
  activation: activationSchema,
  labels: labelsSchema,
  regions: regionsSchema.optional(),
  inference: inferenceSchema,
  provenance: z.record(z.string(), z.unknown()),
  licence: z.string(),
  intended_use: z.string(),
});

export const problemsSchema = z.array(formatProblemSchema);

export function parseCard(json: string): Card {
  return cardSchema.parse(JSON.parse(json));
}
