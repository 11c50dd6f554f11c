/** Why there can be no DICOM segmentation of a label map; the label map itself is as good as before. */
export class SegmentationError extends Error {
  override readonly name = 'SegmentationError';
}
