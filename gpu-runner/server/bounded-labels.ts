import { LRUCache } from 'lru-cache';

/** The label of everything that has none of its own. */
export const OTHER = 'other';
/** How many times more things than labels have their uses remembered. */
const REMEMBERED = 20;

/**
 * Labels for the most used of any number of things, so that a metric has no more series than it can bear. A thing that
 * was used twice as often as one with a label takes its place, and no sooner, so that places do not change hands all the
 * time; what is counted under `other` stays there, so no series ever falls.
 */
export class BoundedLabels {
  readonly #most: number;
  readonly #onDropped: (name: string) => void;
  readonly #labelled = new Map<string, number>();
  readonly #others: LRUCache<string, number>;

  constructor(most: number, onDropped: (name: string) => void) {
    this.#most = most;
    this.#onDropped = onDropped;
    this.#others = new LRUCache({ max: most * REMEMBERED });
  }

  /** Counts a use, and answers the name itself or `other`. */
  use(name: string): string {
    const known = this.#labelled.get(name);
    const uses = 1 + (known ?? this.#others.get(name) ?? 0);
    if (known !== undefined || this.#makesRoom(uses)) {
      this.#others.delete(name);
      this.#labelled.set(name, uses);
      return name;
    }
    this.#others.set(name, uses);
    return OTHER;
  }

  #makesRoom(uses: number): boolean {
    if (this.#labelled.size < this.#most) return true;
    let [least, fewest] = ['', Number.POSITIVE_INFINITY];
    for (const [name, count] of this.#labelled) if (count < fewest) [least, fewest] = [name, count];
    if (uses < 2 * fewest) return false;
    this.#labelled.delete(least);
    this.#others.set(least, fewest);
    this.#onDropped(least);
    return true;
  }
}
