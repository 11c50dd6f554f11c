import { z } from 'zod';
import {
  CHANNELS_MAX,
  DEPTH_MAX,
  FEATURE_SIZE_MAX,
  LABELS_MAX,
  WINDOW_SIDE_MAX,
  WINDOW_SIDE_MULTIPLE,
} from './limits.ts';

const four = (value: z.ZodNumber) => z.tuple([value, value, value, value]);

/** The eight keys that make a SwinUNETR; all are part of the base digest. */
export const architectureSchema = z
  .strictObject({
    network: z.literal('SwinUNETR'),
    feature_size: z.int().min(12).max(FEATURE_SIZE_MAX).multipleOf(12),
    in_channels: z.int().min(1).max(CHANNELS_MAX),
    out_channels: z.int().min(1).max(LABELS_MAX),
    depths: four(z.int().min(1).max(DEPTH_MAX)),
    num_heads: four(z.int().min(1)),
    window_size: z.literal(7),
    patch_merging: z.enum(['legacy', 'fixed', 'v2']),
  })
  .superRefine((architecture, context) => {
    for (const [stage, heads] of architecture.num_heads.entries()) {
      const width = architecture.feature_size * 2 ** stage;
      if (width % heads === 0) continue;
      context.addIssue({
        code: 'custom',
        path: ['num_heads', stage],
        message: `expected a divisor of the stage's ${width} channels`,
      });
    }
  });

export type Architecture = z.infer<typeof architectureSchema>;

/** The head: the parameters whose first dimension an adapter may change. */
export const HEAD_PARAMETERS = ['out.conv.conv.weight', 'out.conv.conv.bias'] as const;

export function isHeadParameter(name: string): boolean {
  return name === HEAD_PARAMETERS[0] || name === HEAD_PARAMETERS[1];
}

export function isDecoderParameter(name: string): boolean {
  return name.startsWith('decoder');
}

const LINEAR_WEIGHT =
  /^swinViT\.layers[1-4]\.0\.(?:blocks\.\d+\.(?:attn\.(?:qkv|proj)|mlp\.linear[12])|downsample\.reduction)\.weight$/;

/** Whether this is the name of a linear weight in the transformer, the only ones that low-rank methods change. */
export function isLinearWeight(name: string): boolean {
  return LINEAR_WEIGHT.test(name);
}

/** Entries in every axis of a relative position bias table: 2 * 7 - 1 offsets. */
const OFFSETS_PER_AXIS = 13;

/**
 * MONAI's parameter names and shapes (`monai/networks/nets/swin_unetr.py`), in its order, without the
 * `relative_position_index` buffers: 151 of them with two blocks a stage and `in_channels` unlike `feature_size`.
 */
export function baseParameters(a: Architecture): ReadonlyMap<string, readonly number[]> {
  const f = a.feature_size;
  const shapes = new Map<string, readonly number[]>();
  shapes.set('swinViT.patch_embed.proj.weight', [f, a.in_channels, 2, 2, 2]);
  shapes.set('swinViT.patch_embed.proj.bias', [f]);
  for (const [stage, depth] of a.depths.entries()) {
    const layer = `swinViT.layers${stage + 1}.0`;
    const width = f * 2 ** stage;
    for (let block = 0; block < depth; block++) {
      addBlock(shapes, `${layer}.blocks.${block}`, width, a.num_heads[stage] ?? 0);
    }
    shapes.set(`${layer}.downsample.reduction.weight`, [2 * width, 8 * width]);
    addPair(shapes, `${layer}.downsample.norm`, [8 * width]);
  }
  addResidual(shapes, 'encoder1.layer', a.in_channels, f);
  addResidual(shapes, 'encoder2.layer', f, f);
  addResidual(shapes, 'encoder3.layer', 2 * f, 2 * f);
  addResidual(shapes, 'encoder4.layer', 4 * f, 4 * f);
  addResidual(shapes, 'encoder10.layer', 16 * f, 16 * f);
  for (const [decoder, from, to] of [
    [5, 16, 8],
    [4, 8, 4],
    [3, 4, 2],
    [2, 2, 1],
    [1, 1, 1],
  ] as const) {
    shapes.set(`decoder${decoder}.transp_conv.conv.weight`, [from * f, to * f, 2, 2, 2]);
    addResidual(shapes, `decoder${decoder}.conv_block`, 2 * to * f, to * f);
  }
  shapes.set('out.conv.conv.weight', [a.out_channels, f, 1, 1, 1]);
  shapes.set('out.conv.conv.bias', [a.out_channels]);
  return shapes;
}

/** The linear weights of the transformer: 36 of them with two blocks a stage. */
export function lowRankParameters(a: Architecture): ReadonlySet<string> {
  return new Set([...baseParameters(a).keys()].filter(isLinearWeight));
}

/** What is wrong with a window, or null for a legal one: the network halves each side five times. */
export function checkWindow(roi: readonly number[]): string | null {
  const legal = roi.every((side) => Number.isInteger(side) && side > 0 && side % WINDOW_SIDE_MULTIPLE === 0);
  if (roi.length !== 3 || !legal) return `expected three multiples of ${WINDOW_SIDE_MULTIPLE}`;
  if (roi.some((side) => side > WINDOW_SIDE_MAX)) return `expected sides of at most ${WINDOW_SIDE_MAX}`;
  // Instance normalisation has no deviation over one voxel.
  if (roi.every((side) => side === WINDOW_SIDE_MULTIPLE)) return 'expected a side of at least 64';
  return null;
}

function addPair(shapes: Map<string, readonly number[]>, name: string, shape: readonly number[]): void {
  shapes.set(`${name}.weight`, shape);
  shapes.set(`${name}.bias`, [shape[0] ?? 0]);
}

function addBlock(shapes: Map<string, readonly number[]>, block: string, width: number, heads: number): void {
  addPair(shapes, `${block}.norm1`, [width]);
  shapes.set(`${block}.attn.relative_position_bias_table`, [OFFSETS_PER_AXIS ** 3, heads]);
  addPair(shapes, `${block}.attn.qkv`, [3 * width, width]);
  addPair(shapes, `${block}.attn.proj`, [width, width]);
  addPair(shapes, `${block}.norm2`, [width]);
  addPair(shapes, `${block}.mlp.linear1`, [4 * width, width]);
  addPair(shapes, `${block}.mlp.linear2`, [width, 4 * width]);
}

/** Two convolutions of 3^3 and, where the channel count changes, one of 1^3 beside them; none has a bias. */
function addResidual(shapes: Map<string, readonly number[]>, name: string, from: number, to: number): void {
  shapes.set(`${name}.conv1.conv.weight`, [to, from, 3, 3, 3]);
  shapes.set(`${name}.conv2.conv.weight`, [to, to, 3, 3, 3]);
  if (from !== to) shapes.set(`${name}.conv3.conv.weight`, [to, from, 1, 1, 1]);
}
