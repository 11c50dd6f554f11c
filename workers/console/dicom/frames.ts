import type { Dataset } from 'dcmjs';
import type { Plane } from './planes.ts';
import { code, type SegmentLabel } from './segment-codes.ts';

/** One segment on one slice of the series. */
export interface Frame {
  /** From 1, in the order of segments. */
  readonly segment: number;
  readonly value: number;
  /** From 1, in the order of planes. */
  readonly position: number;
  readonly plane: Plane;
}

/** A frame for each slice that has voxels of a segment, segment by segment. */
export function framesOf(planes: readonly Plane[], segments: readonly SegmentLabel[]): Frame[] {
  const present = planes.map(({ labels }) => new Set(labels));
  return segments.flatMap(({ value }, s) =>
    planes.flatMap((plane, p) => (present[p]?.has(value) ? [{ segment: s + 1, value, position: p + 1, plane }] : [])),
  );
}

/** The frames' bits, one after the other without a gap, the first pixel lowest (DICOM PS3.5, section 8.2). */
export function packBits(frames: readonly Frame[]): ArrayBuffer {
  const pixels = frames.reduce((sum, { plane }) => sum + plane.labels.length, 0);
  // An even number of bytes, as every element has.
  const packed = new Uint8Array(2 * Math.ceil(pixels / 16));
  let bit = 0;
  for (const { plane, value } of frames) {
    for (const label of plane.labels) {
      if (label === value) packed[bit >> 3] = (packed[bit >> 3] ?? 0) | (1 << (bit & 7));
      bit += 1;
    }
  }
  return packed.buffer;
}

/** An item of the Per-frame Functional Groups (DICOM PS3.3, section A.51.5). */
export function frameItem({ segment, position, plane }: Frame): Dataset {
  const { SOPClassUID, SOPInstanceUID, ImagePositionPatient } = plane.slice.header;
  const source = {
    ReferencedSOPClassUID: SOPClassUID,
    ReferencedSOPInstanceUID: SOPInstanceUID,
    // The very pixels of the source: viewers look a slice's segments up by it.
    SpatialLocationsPreserved: 'YES',
    PurposeOfReferenceCodeSequence: [code('DCM', '121322', 'Source image for image processing operation')],
  };
  return {
    DerivationImageSequence: [
      { SourceImageSequence: [source], DerivationCodeSequence: [code('DCM', '113076', 'Segmentation')] },
    ],
    FrameContentSequence: [{ DimensionIndexValues: [segment, position] }],
    PlanePositionSequence: [{ ImagePositionPatient }],
    SegmentIdentificationSequence: [{ ReferencedSegmentNumber: segment }],
  };
}
