/** The one value that each channel of an image `[channels, ...]` has everywhere, or null where it has more than one. */
export function uniformValues(image: Float32Array, channels: number): Float32Array | null {
  const voxels = image.length / channels;
  const values = new Float32Array(channels);
  for (let channel = 0; channel < channels; channel += 1) {
    const from = channel * voxels;
    const value = image[from] ?? 0;
    for (let at = from + 1; at < from + voxels; at += 1) if (image[at] !== value) return null;
    values[channel] = value;
  }
  return values;
}

/**
 * Logits of the last image of one value alone. Around a head without its skull all is zero, and the network says the same
 * of every window there.
 */
export class UniformAnswer {
  #values: Float32Array | null = null;
  #logits: Float32Array | null = null;

  /** What was answered for these values, or null where other ones came last. */
  get(values: Float32Array): Float32Array | null {
    return this.#values?.every((value, channel) => value === values[channel]) === true ? this.#logits : null;
  }

  keep(values: Float32Array, logits: Float32Array): void {
    this.#values = values;
    this.#logits = logits;
  }
}
