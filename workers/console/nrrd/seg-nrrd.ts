import { type Extent, slicerKeys } from '../../../schemas/slicer-segments.ts';
import { gunzip, gzip } from '../image/gzip.ts';
import { type LabelMapHeader, readHeader } from '../nifti/header.ts';
import type { LabelRow } from '../run/label-map.ts';

/**
 * A label map of the service as `.seg.nrrd`, which 3D Slicer opens as a segmentation: the same voxels in the same order and
 * at the same place, with the names, and with the colours as the page shows them.
 */
export async function segNrrd(labelMap: Blob, rows: readonly LabelRow[]): Promise<Blob> {
  const bytes = await gunzip(labelMap);
  const header = readHeader(bytes);
  const [ni, nj, nk] = header.shape;
  const voxels = bytes.slice(header.offset, header.offset + ni * nj * nk * header.bytesPerVoxel);
  const segments = rows.map(({ value, name, colour, code }) => ({ value, name, color: colour, code }));
  const keys = [
    ...slicerKeys(segments, extentsOf(voxels, header)),
    ...(header.note === null ? [] : [['PDoRA', header.note] as const]),
  ];
  return new Blob([headerOf(header, keys), await gzip(voxels)]);
}

/** The header's text, its space in left-posterior-superior millimetres (NRRD specification, section 5). */
function headerOf(
  { shape, affine, bytesPerVoxel, little }: LabelMapHeader,
  keys: readonly (readonly [string, string])[],
): string {
  const [x, y, z] = affine;
  const vector = (n: 0 | 1 | 2 | 3) => `(${-x[n]},${-y[n]},${z[n]})`;
  const lines = [
    'NRRD0004',
    `type: ${bytesPerVoxel === 1 ? 'unsigned char' : 'unsigned short'}`,
    'dimension: 3',
    'space: left-posterior-superior',
    `sizes: ${shape.join(' ')}`,
    `space directions: ${vector(0)} ${vector(1)} ${vector(2)}`,
    'kinds: domain domain domain',
    `endian: ${little ? 'little' : 'big'}`,
    'encoding: gzip',
    'space units: "mm" "mm" "mm"',
    `space origin: ${vector(3)}`,
    ...keys.map(([key, value]) => `${key}:=${oneLine(value)}`),
  ];
  return `${lines.join('\n')}\n\n`;
}

/** As the specification's section 3 has it. */
function oneLine(value: string): string {
  return value.replaceAll('\\', '\\\\').replaceAll('\r', '').replaceAll('\n', '\\n');
}

function extentsOf(voxels: Uint8Array, { shape, bytesPerVoxel, little }: LabelMapHeader): Map<number, Extent> {
  const [ni, nj, nk] = shape;
  const view = new DataView(voxels.buffer, voxels.byteOffset, voxels.byteLength);
  const extents = new Map<number, Extent>();
  for (let k = 0, n = 0; k < nk; k++) {
    for (let j = 0; j < nj; j++) {
      for (let i = 0; i < ni; i++, n++) {
        const value = bytesPerVoxel === 1 ? view.getUint8(n) : view.getUint16(2 * n, little);
        if (value === 0) continue;
        const [i0, i1, j0, j1, k0] = extents.get(value) ?? [i, i, j, j, k, k];
        extents.set(value, [Math.min(i0, i), Math.max(i1, i), Math.min(j0, j), Math.max(j1, j), k0, k]);
      }
    }
  }
  return extents;
}
