/** Listens for silence while there is something to be heard of; what the caller does itself proves nothing. */
export class Silence {
  readonly #milliseconds: number;
  readonly #onSilent: () => void;
  #timer: NodeJS.Timeout | undefined;

  /** `onSilent` is called where nothing was heard for so long. */
  constructor(milliseconds: number, onSilent: () => void) {
    this.#milliseconds = milliseconds;
    this.#onSilent = onSilent;
  }

  /** Something was heard: silence begins anew, where there is still something to wait for. */
  heard(waiting: boolean): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.watch(waiting);
  }

  /** Begins to listen, goes on, or stops. */
  watch(waiting: boolean): void {
    if (!waiting) {
      clearTimeout(this.#timer);
      this.#timer = undefined;
      return;
    }
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(this.#onSilent, this.#milliseconds);
  }
}
