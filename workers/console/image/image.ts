/** A volume that was dropped and can be sent. */
export interface Image {
  readonly id: string;
  /** For the reader of the page alone; it is never sent. */
  readonly name: string;
  /** Gzipped NIfTI with nothing but geometry and voxels. */
  readonly file: Blob;
  /** The DICOM files that it was made of, which stay in the browser; null where a NIfTI file was dropped. */
  readonly series: readonly File[] | null;
}
