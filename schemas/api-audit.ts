import { z } from 'zod';
import { pageQuerySchema } from './api.ts';
import { ERROR_CODES } from './errors.ts';
import { digestSchema, nameSchema } from './manifest-parts.ts';

/** What may be done to things that are kept, and segmenting. */
export const AUDIT_ACTIONS = [
  'tenant.create',
  'tenant.quota',
  'key.create',
  'key.rotate',
  'key.revoke',
  'link.create',
  'link.revoke',
  'base.create',
  'version.create',
  'version.verify',
  'version.delete',
  'adapter.delete',
  'alias.set',
  'alias.delete',
  'grant.create',
  'grant.delete',
  'upload.create',
  'upload.delete',
  'image.create',
  'image.delete',
  'segmentation.run',
  'segmentation.create',
  'segmentation.cancel',
  'segmentation.delete',
] as const;

export type AuditAction = (typeof AUDIT_ACTIONS)[number];

export const auditQuerySchema = pageQuerySchema.extend({
  tenant: nameSchema.optional().meta({ description: 'Whose audit: for the admin key, which without it reads all' }),
});

export const auditEntrySchema = z.object({
  id: z.int(),
  at: z.iso.datetime(),
  tenant: z.string().nullable().meta({ description: "Whose audit it stands in; null for the operator's own" }),
  actor: z.string().meta({ description: 'operator, service, key:<id> or link:<id>', example: 'key:5f2b1c9d00aa7e31' }),
  action: z.enum(AUDIT_ACTIONS),
  subject: z.string().meta({ description: 'What it was done to', example: 'clinic/hippocampus@3' }),
  adapter: digestSchema.nullable(),
  base: digestSchema.nullable(),
  voxels: z.int().nullable().meta({ description: 'Of the grid that was segmented, where a runner said so' }),
  outcome: z.enum(['ok', ...ERROR_CODES]),
  request_id: z.string(),
});
