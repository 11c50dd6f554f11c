import type { LabelRow } from '../run/label-map.ts';
import { Pane, type Place, type Plane } from './pane.ts';

export interface Scene {
  readonly caption: string;
  readonly labelMap: Blob | null;
  readonly rows: readonly LabelRow[];
}

/** One pane, or two side by side on the same image that move together. Calls are carried out one after another. */
export class Stage {
  /** Goes into the page as it is, and keeps its canvases when the page is drawn anew. */
  readonly element = document.createElement('div');
  readonly #panes: Pane[] = [];
  readonly #onPlace: (place: Place, pane: number) => void;
  #last: Promise<void> = Promise.resolve();
  #plane: Plane = 'all';
  #opacity = 0.6;

  constructor(onPlace: (place: Place, pane: number) => void) {
    this.element.className = 'stage';
    this.#onPlace = onPlace;
  }

  async show(image: Blob | null, scenes: readonly Scene[]): Promise<void> {
    const shown = this.#last.then(() => this.#show(image, scenes));
    this.#last = shown.catch(() => undefined);
    await shown;
  }

  recolour(pane: number, rows: readonly LabelRow[]): void {
    this.#panes[pane]?.recolour(rows);
  }

  set plane(plane: Plane) {
    this.#plane = plane;
    for (const pane of this.#panes) pane.plane = plane;
  }

  set opacity(value: number) {
    this.#opacity = value;
    for (const pane of this.#panes) pane.opacity = value;
  }

  async #show(image: Blob | null, scenes: readonly Scene[]): Promise<void> {
    this.element.setAttribute('aria-busy', 'true');
    while (this.#panes.length < Math.max(1, scenes.length)) await this.#addPane();
    for (const [n, pane] of this.#panes.entries()) {
      const scene = scenes[n];
      pane.element.hidden = n > 0 && scene === undefined;
      pane.caption = scene?.caption ?? 'Image';
      if (pane.element.hidden) continue;
      await pane.show(image, scene?.labelMap ?? null, scene?.rows ?? []);
    }
    this.element.dataset['panes'] = String(this.#panes.filter(({ element }) => !element.hidden).length);
    this.element.setAttribute('aria-busy', 'false');
  }

  async #addPane(): Promise<void> {
    const n = this.#panes.length;
    const pane = await Pane.make(this.element, (place) => this.#onPlace(place, n));
    pane.plane = this.#plane;
    pane.opacity = this.#opacity;
    this.#panes.push(pane);
    const [first, second] = this.#panes;
    if (first === undefined || second === undefined) return;
    first.lead(second);
    second.lead(first);
  }
}
