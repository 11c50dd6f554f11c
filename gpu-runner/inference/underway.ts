/** Work that goes on by itself, and a way to give it time. */
export class Underway {
  readonly #works = new Set<Promise<void>>();

  /** The work may not reject. */
  async add(work: Promise<void>): Promise<void> {
    this.#works.add(work);
    await work;
    this.#works.delete(work);
  }

  /** Waits for what is under way now, for so long at most. */
  async settled(milliseconds: number): Promise<void> {
    if (this.#works.size === 0) return;
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(resolve, milliseconds);
    await Promise.race([Promise.all(this.#works), late]);
    clearTimeout(timer);
  }
}
