/** Which files are in the bucket, and which of them may be taken away. */
export interface FileStore {
  /** Says that a file is coming and holds it; false while it is being taken away. */
  hold(
    digest: string,
    size: number,
    hold: { readonly id: string; readonly now: number; readonly until: number },
  ): Promise<boolean>;
  release(hold: string): Promise<void>;
  /** Marks a file that nothing points at and nobody holds, unused for long enough, as `id`'s; false where it must stay. */
  mark(digest: string, id: string, age: Age): Promise<boolean>;
  /** Forgets a file with the mark of `id`, after it left the bucket. */
  forget(digest: string, id: string): Promise<void>;
  /** Files that `mark` would mark, the longest unused first. */
  collectable(age: Age, limit: number): Promise<string[]>;
  /** Drops holds that ran out, and says how many. */
  dropHolds(now: number, limit: number): Promise<number>;
}

export interface Age {
  readonly now: number;
  /** Nothing may have pointed at the file since; what nothing ever pointed at is always old enough. */
  readonly unusedBefore: number;
}
