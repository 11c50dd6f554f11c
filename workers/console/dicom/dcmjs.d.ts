/** What is used of dcmjs, which brings no types. */
declare module 'dcmjs' {
  /** Elements by their names, sequences as arrays. */
  export type Dataset = Readonly<Record<string, unknown>>;

  interface Part10 {
    readonly meta: object;
    readonly dict: object;
  }

  const dcmjs: {
    readonly data: {
      readonly DicomMessage: {
        readFile(
          file: ArrayBuffer,
          options: { readonly untilTag: string; readonly includeUntilTagValue: boolean },
        ): Part10;
      };
      readonly DicomMetaDictionary: { naturalizeDataset(dataset: object): Dataset };
      readonly Colors: { rgb82DICOMLAB(rgb: readonly number[]): number[] };
      datasetToDict(dataset: Dataset): { write(): ArrayBuffer };
    };
  };
  export default dcmjs;
}
