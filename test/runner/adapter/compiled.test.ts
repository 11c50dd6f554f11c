import { expect, it } from 'vitest';
import { sessionKind } from '../../../gpu-runner/adapter/compiled.ts';

const HEAD = ['out.conv.conv.weight', 'out.conv.conv.bias'];
const DECODER = 'decoder1.conv_block.conv1.conv.weight';

it.each([
  { replaced: [], kind: 'head' },
  { replaced: HEAD, kind: 'head' },
  { replaced: [DECODER], kind: 'decoder' },
  { replaced: [...HEAD, DECODER], kind: 'decoder' },
  { replaced: ['encoder1.layer.conv1.conv.weight'], kind: 'all' },
  { replaced: [DECODER, 'swinViT.patch_embed.proj.bias', ...HEAD], kind: 'all' },
])('an adapter that replaces $replaced runs in a session of kind $kind', ({ replaced, kind }) => {
  expect(sessionKind(replaced)).toBe(kind);
});
