import { ServiceError } from '../../schemas/errors.ts';

/** Names come from a manifest and may be long. */
const NAMES_MAX_CHARACTERS = 400;

/** One file of a request; `channel` is null where it came alone and unnamed. */
export interface Image {
  readonly channel: string | null;
  readonly bytes: Uint8Array;
}

/**
 * The files in the order of the manifest's channels. A file without a name is right for a single channel alone.
 * Throws `channel_mismatch` with the channels that are expected.
 */
export function matchChannels(images: readonly Image[], channels: readonly string[]): Uint8Array[] {
  const [first] = images;
  if (first !== undefined && images.length === 1 && first.channel === null) {
    if (channels.length === 1) return [first.bytes];
    throw mismatch(channels, 'found one without a name');
  }
  const byName = new Map<string, Uint8Array>();
  for (const { channel, bytes } of images) {
    if (channel === null) throw mismatch(channels, 'found one without a name');
    if (!channels.includes(channel)) throw mismatch(channels, 'found another');
    if (byName.has(channel)) throw mismatch(channels, `found channel ${channels.indexOf(channel) + 1} twice`);
    byName.set(channel, bytes);
  }
  return channels.map((channel) => {
    const bytes = byName.get(channel);
    if (bytes === undefined) throw mismatch(channels, `found none for channel ${channels.indexOf(channel) + 1}`);
    return bytes;
  });
}

function mismatch(channels: readonly string[], found: string): ServiceError {
  const names = channels.map((channel) => JSON.stringify(channel)).join(', ');
  const expected = names.length > NAMES_MAX_CHARACTERS ? `${names.slice(0, NAMES_MAX_CHARACTERS)}…` : names;
  return new ServiceError('channel_mismatch', `Expected one volume for each of the channels ${expected}; ${found}.`);
}
