/** `multipart/form-data` of volumes, a part a channel. File names never travel: they can name a patient. */

/** What stands before the bytes of a channel's volume. */
export function partHead(boundary: string, channel: string): string {
  const name = encodeURIComponent(channel).replaceAll('%20', ' ');
  const disposition = `form-data; name="${name}"; filename="volume.nii.gz"`;
  return `--${boundary}\r\ncontent-disposition: ${disposition}\r\ncontent-type: application/octet-stream\r\n\r\n`;
}

/** What stands after the bytes of each volume. */
export const PART_END = '\r\n';

/** What stands at the end. */
export function lastLine(boundary: string): string {
  return `--${boundary}--\r\n`;
}
