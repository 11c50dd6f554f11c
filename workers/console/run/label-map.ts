import type { Report } from '../api.ts';
import { gunzip } from '../image/gzip.ts';
import { type LabelMapHeader, notedLabels, type Rows, readHeader } from '../nifti/header.ts';

export type Colour = readonly [number, number, number];

/** A value of a label map that is not the background. */
export interface LabelRow {
  readonly value: number;
  readonly name: string;
  readonly code: { readonly scheme: string; readonly value: string; readonly meaning: string } | undefined;
  colour: Colour;
  shown: boolean;
  readonly voxels: number;
  readonly ml: number;
}

const MICROLITRES_PER_ML = 1000;

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

/**
 * Every label with its volume, by value: those that the label map names, and those that it only has.
 *
 * @param reported whose names go first: where an adapter has regions, values are named by them
 */
export async function labelRows(labelMap: Blob, reported: Report['labels']): Promise<LabelRow[]> {
  const bytes = await gunzip(labelMap);
  const header = readHeader(bytes);
  const named = new Map(notedLabels(header).map((label) => [label.value, label]));
  const counts = counted(bytes, header);
  const voxelMl = determinant(header.affine) / MICROLITRES_PER_ML;
  const values = [...new Set([...named.keys(), ...counts.keys()])].filter((value) => value !== 0);
  return values
    .toSorted((a, b) => a - b)
    .map((value, n) => {
      const voxels = counts.get(value) ?? 0;
      const label = named.get(value);
      const colour = label?.color ?? PALETTE[n % PALETTE.length] ?? [255, 255, 255];
      const name = reported.find((one) => one.value === value)?.name ?? label?.name ?? `label ${value}`;
      return { value, name, code: label?.code, colour, shown: true, voxels, ml: voxels * voxelMl };
    });
}

/** How often each value occurs. */
function counted(bytes: Uint8Array, { little, offset, bytesPerVoxel }: LabelMapHeader): Map<number, number> {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const counts = new Map<number, number>();
  const seen = new Float64Array(65_536);
  for (let at = offset; at + bytesPerVoxel <= bytes.byteLength; at += bytesPerVoxel) {
    const value = bytesPerVoxel === 1 ? view.getUint8(at) : view.getUint16(at, little);
    seen[value] = (seen[value] ?? 0) + 1;
  }
  for (const [value, count] of seen.entries()) if (count > 0) counts.set(value, count);
  return counts;
}

/** The volume of a voxel in mm³. */
function determinant([[a, b, c], [d, e, f], [g, h, i]]: Rows): number {
  return Math.abs(a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g));
}
