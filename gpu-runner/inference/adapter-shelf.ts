import { readWeightsFile, type WeightsFile } from '../adapter/weights-file.ts';
import type { FeedableAdapter } from '../network/feeds.ts';

/**
 * The adapters of the runs of now, read once however many runs share them. What no run holds any more is left to the
 * garbage collector, so that a process has seen thousands of adapters and keeps none.
 */
export class AdapterShelf {
  readonly #held = new Map<string, WeakRef<FeedableAdapter>>();
  readonly #collected = new FinalizationRegistry((path: string) => {
    if (this.#held.get(path)?.deref() === undefined) this.#held.delete(path);
  });

  /** Throws where the file is not what was written, or is not there. */
  get(file: WeightsFile): FeedableAdapter {
    const held = this.#held.get(file.path)?.deref();
    if (held !== undefined) return held;
    const adapter = readWeightsFile(file);
    this.#held.set(file.path, new WeakRef(adapter));
    this.#collected.register(adapter, file.path);
    return adapter;
  }
}
