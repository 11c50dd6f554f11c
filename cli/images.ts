import { existsSync } from 'node:fs';
import { usage } from './failure.ts';

/** One input volume; `channel` is null where the command line names none. */
export interface Image {
  readonly channel: string | null;
  readonly path: string;
}

/** Reads `file.nii.gz` or `CHANNEL=file.nii.gz`; several need their channels, each once. */
export function parseImages(texts: readonly string[]): Image[] {
  const images = texts.map(parseImage);
  if (images.length === 1) return images;
  const names = images.map(({ channel, path }) => {
    if (channel === null) throw usage(`of several images each names its channel: CHANNEL=${path}`);
    return channel;
  });
  const twice = names.find((name, n) => names.indexOf(name) !== n);
  if (twice !== undefined) throw usage(`the channel ${twice} is given twice`);
  return images;
}

function parseImage(text: string): Image {
  const at = text.indexOf('=');
  // A file whose own name holds a "=" is a file.
  if (at < 0 || existsSync(text)) return { channel: null, path: text };
  const [channel, path] = [text.slice(0, at), text.slice(at + 1)];
  if (channel === '' || path === '') throw usage(`expected file.nii.gz or CHANNEL=file.nii.gz, found ${text}`);
  return { channel, path };
}
