import { gunzipSync } from 'node:zlib';
import { z } from 'zod';
import { labelSchema } from '../../schemas/manifest-parts.ts';
import { parseJson } from '../client.ts';

export type Label = z.infer<typeof labelSchema>;

/** NIFTI_ECODE_COMMENT, under which the service writes what a label map's values mean. */
const COMMENT = 6;
const GZIP = [0x1f, 0x8b];

export const labelsFileSchema = z.array(labelSchema).min(1);
const noteSchema = z.object({ labels: labelsFileSchema });

/** The labels that a label map of the service names; null where a file names none. */
export function notedLabels(file: Uint8Array): Label[] | null {
  const bytes = GZIP.every((byte, n) => file[n] === byte) ? gunzipSync(file) : file;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = [true, false].find((order) => view.byteLength > 8 && [348, 540].includes(view.getInt32(0, order)));
  if (little === undefined) return null;
  const header = view.getInt32(0, little);
  if (view.byteLength < header + 12 || bytes[header] === 0) return null;
  const [size, code] = [view.getInt32(header + 4, little), view.getInt32(header + 8, little)];
  if (code !== COMMENT) return null;
  const text = new TextDecoder().decode(bytes.subarray(header + 12, header + 4 + size)).replace(/\0+$/, '');
  return noteSchema.safeParse(parseJson(text)).data?.labels ?? null;
}
