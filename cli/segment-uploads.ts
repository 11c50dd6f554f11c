import { adapterSchema, baseSchema } from '../schemas/api.ts';
import { BASE_REF } from '../schemas/names.ts';
import type { Client } from './client.ts';
import { CliError, usage } from './failure.ts';
import { fileBody, sha256Hex } from './files.ts';
import type { Image } from './images.ts';
import { progressBar } from './progress.ts';
import { uploadInParts } from './upload-parts.ts';

/**
 * Uploads each image for its channel of the adapter, and notes the uploads in `uploads` as they come. Throws before the
 * first where the channels are not the adapter's.
 */
export async function uploadImages(
  client: Client,
  images: readonly Image[],
  ref: string,
  uploads: Map<string, string>,
): Promise<void> {
  const named = namedBy(images, await channelsOf(client, ref), ref);
  const files = await Promise.all(
    named.map(async ({ channel, path }) => ({ channel, path, body: await fileBody(path) })),
  );
  const bar = progressBar(
    'upload',
    files.reduce((bytes, { body }) => bytes + body.size, 0),
  );
  try {
    let before = 0;
    for (const { channel, path, body } of files) {
      const onSent = (sent: number) => bar.update(before + sent);
      uploads.set(channel, await uploadInParts(client, body, await sha256Hex(path), onSent));
      before += body.size;
    }
  } finally {
    bar.stop();
  }
}

/** Null where the key may not look. */
async function channelsOf(client: Client, ref: string): Promise<readonly string[] | null> {
  try {
    if (ref !== BASE_REF) {
      return (await client.json('GET', `/v1/adapters/${encodeURIComponent(ref)}`, adapterSchema)).channels;
    }
    const bases = await Array.fromAsync(client.pages('/v1/bases', baseSchema));
    // The one that was there first serves.
    const [first] = bases.toSorted((a, b) => a.created_at.localeCompare(b.created_at));
    return first?.channels ?? [];
  } catch (error) {
    if (error instanceof CliError && error.code === 'forbidden') return null;
    throw error;
  }
}

function namedBy(images: readonly Image[], channels: readonly string[] | null, ref: string) {
  const [only = null, ...more] = channels ?? [];
  const named = images.map(({ channel, path }) => {
    if (channel !== null) return { channel, path };
    if (channels === null) throw usage(`the key may not read the adapter's channels: name it, CHANNEL=${path}`);
    if (only === null || more.length > 0) throw mismatch(ref, channels, 'one without a name');
    return { channel: only, path };
  });
  const names = named.map(({ channel }) => channel);
  const fits = channels === null || (names.length === channels.length && channels.every((one) => names.includes(one)));
  if (!fits) throw mismatch(ref, channels, names.join(', '));
  return named;
}

function mismatch(ref: string, channels: readonly string[], found: string): CliError {
  return new CliError('channel_mismatch', `${ref} takes the channels ${channels.join(', ')}, found ${found}`);
}
