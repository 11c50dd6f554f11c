import { Problem } from '../api/problem.ts';
import { filesOfSeries } from '../dicom/files-of-series.ts';
import { dicomSegmentation } from '../dicom/segmentation.ts';
import { SegmentationError } from '../dicom/segmentation-error.ts';
import { gunzip } from '../image/gzip.ts';
import type { Series } from '../image/image.ts';
import type { LabelRow } from './label-map.ts';

/**
 * A result as DICOM segmentation of the series that its image was made of. Patient and study are copied from there, and
 * nothing leaves the browser. Throws a `Problem` that says why there can be none.
 */
export async function dicomFile(labelMap: Blob, rows: readonly LabelRow[], series: Series): Promise<Blob> {
  try {
    const made = dicomSegmentation({
      series: await filesOfSeries(series),
      labelMap: await gunzip(labelMap),
      labels: rows.map(({ value, name, colour, code }) => ({ value, name, color: colour, code })),
      now: new Date(),
      newUid,
    });
    return new Blob([new Uint8Array(made)], { type: 'application/dicom' });
  } catch (error) {
    if (!(error instanceof SegmentationError)) throw error;
    const message = `No DICOM segmentation can be made. ${error.message} The label map as .nii.gz is as good as before.`;
    throw new Problem('no_dicom_segmentation', message);
  }
}

/** DICOM PS3.5, section B.2: a UUID as a number. */
function newUid(): string {
  return `2.25.${BigInt(`0x${crypto.randomUUID().replaceAll('-', '')}`)}`;
}
