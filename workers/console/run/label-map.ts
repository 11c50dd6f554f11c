import { z } from 'zod';
import { labelSchema } from '../../../schemas/manifest-parts.ts';
import { gunzip } from '../image/gzip.ts';

export type Colour = readonly [number, number, number];

/** A value of a label map that is not the background. */
export interface LabelRow {
  readonly value: number;
  readonly name: string;
  colour: Colour;
  shown: boolean;
  readonly voxels: number;
  readonly ml: number;
}

/** What NIfTI calls the extension that holds JSON; the service writes the labels into it. */
const EXTENSION_CODE = 6;
const MICROLITRES_PER_ML = 1000;
const noteSchema = z.object({ labels: z.array(labelSchema) });

/** Okabe and Ito's colours, which most eyes tell apart; for labels without a colour of their own. */
const PALETTE: readonly Colour[] = [
  [86, 180, 233],
  [230, 159, 0],
  [0, 158, 115],
  [240, 228, 66],
  [213, 94, 0],
  [204, 121, 167],
  [0, 114, 178],
];

/** Every label with its volume, by value: those that the label map names, and those that it only has. */
export async function labelRows(labelMap: Blob): Promise<LabelRow[]> {
  const bytes = await gunzip(labelMap);
  const named = new Map(notedLabels(bytes).map((label) => [label.value, label]));
  const { counts, voxelMl } = counted(bytes);
  const values = [...new Set([...named.keys(), ...counts.keys()])].filter((value) => value !== 0);
  return values
    .toSorted((a, b) => a - b)
    .map((value, n) => {
      const voxels = counts.get(value) ?? 0;
      const label = named.get(value);
      const colour = label?.color ?? PALETTE[n % PALETTE.length] ?? [255, 255, 255];
      return { value, name: label?.name ?? `label ${value}`, colour, shown: true, voxels, ml: voxels * voxelMl };
    });
}

function notedLabels(bytes: Uint8Array) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = isLittle(view);
  const header = view.getInt32(0, little);
  if (bytes[header] === 0 || view.byteLength < header + 12) return [];
  const size = view.getInt32(header + 4, little);
  if (view.getInt32(header + 8, little) !== EXTENSION_CODE) return [];
  const text = new TextDecoder().decode(bytes.subarray(header + 12, header + 4 + size)).replace(/\0+$/, '');
  const note = noteSchema.safeParse(JSON.parse(text));
  return note.success ? note.data.labels : [];
}

/** How often each value occurs, and the volume of a voxel by the determinant of the affine. The service writes uint8 or uint16. */
function counted(bytes: Uint8Array): { counts: Map<number, number>; voxelMl: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const little = isLittle(view);
  const second = view.getInt32(0, little) === 540;
  const offset = second ? Number(view.getBigInt64(168, little)) : view.getFloat32(108, little);
  const bytesPerVoxel = view.getInt16(second ? 14 : 72, little) / 8;
  const counts = new Map<number, number>();
  const seen = new Float64Array(65_536);
  for (let at = offset; at + bytesPerVoxel <= bytes.byteLength; at += bytesPerVoxel) {
    const value = bytesPerVoxel === 1 ? view.getUint8(at) : view.getUint16(at, little);
    seen[value] = (seen[value] ?? 0) + 1;
  }
  for (const [value, count] of seen.entries()) if (count > 0) counts.set(value, count);
  return { counts, voxelMl: voxelVolume(view, little, second) / MICROLITRES_PER_ML };
}

/** In mm³: of the sform, or of the spacings where there is none. */
function voxelVolume(view: DataView, little: boolean, second: boolean): number {
  const real = (at: number, step: number) =>
    second ? view.getFloat64(at + 8 * step, little) : view.getFloat32(at + 4 * step, little);
  const sformCode = second ? view.getInt32(348, little) : view.getInt16(254, little);
  if (sformCode <= 0) {
    const pixdim = second ? 104 : 76;
    return Math.abs(real(pixdim, 1) * real(pixdim, 2) * real(pixdim, 3));
  }
  const srow = second ? 400 : 280;
  const m = (row: number, column: number) => real(srow, 4 * row + column);
  return Math.abs(
    m(0, 0) * (m(1, 1) * m(2, 2) - m(1, 2) * m(2, 1)) -
      m(0, 1) * (m(1, 0) * m(2, 2) - m(1, 2) * m(2, 0)) +
      m(0, 2) * (m(1, 0) * m(2, 1) - m(1, 1) * m(2, 0)),
  );
}

function isLittle(view: DataView): boolean {
  return [348, 540].includes(view.getInt32(0, true));
}
