import { attentionWindows, volumeOf } from '../../gpu-runner/network/attention-windows.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import type { Architecture } from '../../schemas/architecture.ts';

/**
 * Floating point operations of one window by MONAI's definition of the network, a multiply-add two of them: products
 * alone, no norms, no activations. What a graph saves by fewer operations counts for it.
 */
export function windowOperations(architecture: Architecture, window: Vec3): number {
  const { feature_size: f, in_channels, out_channels } = architecture;
  const cells = (halvings: number) => volumeOf(window) / 8 ** halvings;
  const residual = (from: number, to: number, halvings: number) =>
    cells(halvings) * (27 * (from * to + to * to) + (from === to ? 0 : from * to));
  const up = (from: number, to: number, halvings: number) =>
    cells(halvings) * from * to + residual(2 * to, to, halvings);
  const products =
    cells(1) * 8 * in_channels * f +
    transformer(architecture, window) +
    residual(in_channels, f, 0) +
    residual(f, f, 1) +
    residual(2 * f, 2 * f, 2) +
    residual(4 * f, 4 * f, 3) +
    residual(16 * f, 16 * f, 5) +
    up(16 * f, 8 * f, 4) +
    up(8 * f, 4 * f, 3) +
    up(4 * f, 2 * f, 2) +
    up(2 * f, f, 1) +
    up(f, f, 0) +
    cells(0) * f * out_channels;
  return 2 * products;
}

function transformer({ feature_size, depths }: Architecture, window: Vec3): number {
  let products = 0;
  for (const [stage, depth] of depths.entries()) {
    const side = 2 ** (stage + 1);
    const width = feature_size * 2 ** stage;
    const grid: Vec3 = [window[0] / side, window[1] / side, window[2] / side];
    const { padded, size } = attentionWindows(grid, false);
    const tokens = volumeOf(padded);
    const block = tokens * (4 * width ** 2 + 2 * volumeOf(size) * width) + volumeOf(grid) * 8 * width ** 2;
    products += depth * block + volumeOf(grid) * 2 * width ** 2;
  }
  return products;
}
