/** The DICOM images that a volume was made of. */
export interface Series {
  readonly uid: string;
  /** All that were dropped with them, those of other series among them. */
  readonly dropped: readonly File[];
}

/** A volume that was dropped and can be sent. */
export interface Image {
  readonly id: string;
  /** For the reader of the page alone; it is never sent. */
  readonly name: string;
  /** Gzipped NIfTI with nothing but geometry and voxels. */
  readonly file: Blob;
  /** What it was made of, which stays in the browser; null where a NIfTI file was dropped. */
  readonly series: Series | null;
}
