import { affineOf, columnLengths, isRegular } from './affine.ts';
import { invalidVolume } from './invalid.ts';
import type { HeaderFields } from './nifti-header.ts';
import { rotationOf } from './quaternion.ts';
import type { Affine, Vec3 } from './volume.ts';

/** nifti1.h names the codes 1 to 5; nibabel counts any other as 0. */
const FORM_CODE_MAX = 5;
const F32_EPSILON = 2 ** -23;

/**
 * The affine that MONAI's reader gives a file: nibabel's best affine, which is the sform if it has a code, else the qform if it has
 * one, else voxel sizes around the volume's centre with x growing to the left. Where the sform's column lengths disagree with
 * pixdim and the qform's agree, the qform takes its place (MONAI, `rectify_header_sform_qform`).
 *
 * @throws ServiceError `invalid_volume` where the form that counts is singular, not finite or no rotation
 */
export function imageAffine(fields: HeaderFields, shape: Vec3, version: 1 | 2): Affine {
  const sizes = voxelSizes(fields);
  if (hasCode(fields, 'sform_code')) {
    const sform = Float64Array.of(...fields.all('srow'), 0, 0, 0, 1);
    if (!isRegular(sform)) throw invalidVolume('The affine (sform) is singular or not finite.');
    const lengths = columnLengths(sform);
    if (isClose(sizes, lengths) || isClose(lengths, sizes)) return sform;
    const qform = quaternionAffine(fields, sizes, version);
    if (qform === null || !isRegular(qform) || !isClose(columnLengths(qform), sizes)) return sform;
    // MONAI stores it as the sform, which rounds it to the header's precision.
    return version === 1 ? qform.map(Math.fround) : qform;
  }
  if (hasCode(fields, 'qform_code')) {
    const qform = quaternionAffine(fields, sizes, version);
    if (qform === null) throw invalidVolume('The quaternion of the affine (qform) is longer than 1 or not finite.');
    if (!isRegular(qform)) throw invalidVolume('The affine (qform) is singular or not finite.');
    return qform;
  }
  const base = baseAffine(sizes, shape);
  if (!isRegular(base)) throw invalidVolume('The voxel sizes (pixdim) are not finite.');
  return base;
}

function hasCode(fields: HeaderFields, name: 'sform_code' | 'qform_code'): boolean {
  const code = fields.get(name);
  return code > 0 && code <= FORM_CODE_MAX;
}

/** pixdim[1..3] as nibabel mends it: 0 counts as 1, a sign is dropped. */
function voxelSizes(fields: HeaderFields): Vec3 {
  const size = (axis: number) =>
    Math.abs(fields.get('pixdim', axis)) || (fields.get('pixdim', axis) === 0 ? 1 : Number.NaN);
  return [size(1), size(2), size(3)];
}

/** The qform, or null where its numbers are no part of a unit quaternion. */
function quaternionAffine(fields: HeaderFields, [x, y, z]: Vec3, version: 1 | 2): Affine | null {
  const [b = 0, c = 0, d = 0] = fields.all('quatern');
  const rotation = rotationOf(b, c, d, 3 * (version === 1 ? F32_EPSILON : Number.EPSILON));
  if (rotation === null) return null;
  const scales = [x, y, fields.get('pixdim', 0) === -1 ? -z : z];
  const scaled = rotation.map((value, n) => value * (scales[n % 3] ?? 1));
  return affineOf(scaled, fields.all('qoffset'));
}

/** nibabel's affine of a file without forms: the origin in the centre, x flipped. */
function baseAffine([x, y, z]: Vec3, [ni, nj, nk]: Vec3): Affine {
  return affineOf([-x, 0, 0, 0, y, 0, 0, 0, z], [((ni - 1) / 2) * x, (-(nj - 1) / 2) * y, (-(nk - 1) / 2) * z]);
}

/** numpy's `allclose(a, b)`. */
function isClose(a: Vec3, b: Vec3): boolean {
  return a.every((value, n) => Math.abs(value - (b[n] ?? 0)) <= 1e-8 + 1e-5 * Math.abs(b[n] ?? 0));
}
