import type { Preprocessing } from '../../schemas/manifest.ts';
import { invalidVolume } from './invalid.ts';

type Intensity = Preprocessing['intensity'];
type Mask = Extract<Intensity, { kind: 'zscore' }>['mask'];
type Range = Extract<Intensity, { kind: 'range' }>;

/** Brings one channel's intensities into the network's range, in place. */
export function normalise(channel: Float32Array, intensity: Intensity): void {
  if (intensity.kind === 'zscore') zscore(channel, intensity.mask);
  if (intensity.kind === 'range') mapRange(channel, intensity);
}

/**
 * Subtracts the mean and divides by the population deviation of the voxels in the mask; 0 outside of it (MONAI's
 * `NormalizeIntensity`). One value throughout has deviation 0, which counts as 1.
 */
function zscore(channel: Float32Array, mask: Mask): void {
  let count = 0;
  let sum = 0;
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY];
  for (const value of channel) {
    if (!isIn(mask, value)) continue;
    count++;
    sum += value;
    if (value < low) low = value;
    if (value > high) high = value;
  }
  const mean = low === high ? low : sum / count;
  let squares = 0;
  for (const value of channel) if (isIn(mask, value)) squares += (value - mean) ** 2;
  const deviation = Math.sqrt(squares / count) || 1;
  for (let n = 0; n < channel.length; n++) {
    const value = channel[n] ?? 0;
    channel[n] = isIn(mask, value) ? (value - mean) / deviation : 0;
  }
}

function isIn(mask: Mask, value: number): boolean {
  return mask === 'all' || (mask === 'positive' ? value > 0 : value !== 0);
}

/** The linear map that takes `from` to `to`, cut off at `to` where asked for (MONAI's `ScaleIntensityRange`). */
function mapRange(channel: Float32Array, { from, to, clip }: Range): void {
  const scale = (to[1] - to[0]) / (from[1] - from[0]);
  const [low, high] = [Math.min(...to), Math.max(...to)];
  for (let n = 0; n < channel.length; n++) {
    const value = ((channel[n] ?? 0) - from[0]) * scale + to[0];
    channel[n] = clip ? Math.min(Math.max(value, low), high) : value;
  }
  if (!channel.every(Number.isFinite))
    throw invalidVolume('The intensities leave float32 when they are mapped to the range of the network.');
}
