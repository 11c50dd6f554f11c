import type { Series } from '../image/image.ts';
import { isOfSeries } from './source-series.ts';

/** The bytes of a series' images. Read one after another, so that those of other series are not all held at once. */
export async function filesOfSeries({ uid, dropped }: Series): Promise<Uint8Array[]> {
  const files: Uint8Array[] = [];
  for (const file of dropped) {
    const bytes = new Uint8Array(await file.arrayBuffer());
    if (isOfSeries(bytes, uid)) files.push(bytes);
  }
  return files;
}
