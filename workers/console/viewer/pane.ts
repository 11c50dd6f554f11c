import type { Niivue, NVImage } from '@niivue/niivue';
import { z } from 'zod';
import type { LabelRow } from '../run/label-map.ts';

/** What is used of what NiiVue tells of the crosshair. */
const locationSchema = z.object({
  mm: z.custom<ArrayLike<number>>((value) => ArrayBuffer.isView(value) || Array.isArray(value)),
  values: z.array(z.object({ value: z.number() })),
});

export const PLANES = ['all', 'axial', 'coronal', 'sagittal', '3d'] as const;
export type Plane = (typeof PLANES)[number];

/** Where the crosshair is: mm in RAS+, and the label under it. */
export interface Place {
  readonly mm: readonly [number, number, number];
  readonly label: number;
}

const BLACK = [0, 0, 0, 1];
const CROSSHAIR = [0.55, 0.85, 0.9, 0.9];
/** Of the arrow keys, along each axis of the image. */
const STEPS: Readonly<Record<string, readonly [number, number, number]>> = {
  ArrowLeft: [-1, 0, 0],
  ArrowRight: [1, 0, 0],
  ArrowUp: [0, 1, 0],
  ArrowDown: [0, -1, 0],
  PageUp: [0, 0, 1],
  PageDown: [0, 0, -1],
};

/** One canvas of NiiVue: an image, and a label map over it. */
export class Pane {
  readonly element: HTMLElement;
  readonly #caption: HTMLElement;
  readonly #module: typeof import('@niivue/niivue');
  readonly #niivue: Niivue;
  #labels: NVImage | null = null;
  #opacity = 0.6;

  private constructor(module: typeof import('@niivue/niivue'), niivue: Niivue, canvas: HTMLCanvasElement) {
    this.#module = module;
    this.#niivue = niivue;
    this.element = document.createElement('figure');
    this.element.className = 'pane';
    this.#caption = document.createElement('figcaption');
    const frame = document.createElement('div');
    frame.className = 'frame';
    frame.append(canvas);
    this.element.append(this.#caption, frame);
    canvas.addEventListener('keydown', (event) => this.#step(event));
  }

  /** `host` is in the document: NiiVue measures its canvas. */
  static async make(host: HTMLElement, onPlace: (place: Place) => void): Promise<Pane> {
    const module = await import('@niivue/niivue');
    const canvas = document.createElement('canvas');
    canvas.tabIndex = 0;
    canvas.setAttribute('role', 'img');
    canvas.setAttribute('aria-label', 'Image. Arrow keys, Page Up and Page Down move the crosshair.');
    const niivue = new module.Niivue({
      backColor: BLACK,
      crosshairColor: CROSSHAIR,
      crosshairWidth: 0.8,
      crosshairWidthUnit: 'mm',
      show3Dcrosshair: true,
      dragAndDropEnabled: false,
      isNearestInterpolation: false,
      multiplanarShowRender: module.SHOW_RENDER.ALWAYS,
      multiplanarLayout: 2,
      isColorbar: false,
      scrollRequiresFocus: true,
      logLevel: 'error',
      viewModeHotKey: '',
      clipPlaneHotKey: '',
      cycleClipPlaneHotKey: '',
      loadingText: '',
    });
    const pane = new Pane(module, niivue, canvas);
    host.append(pane.element);
    await niivue.attachToCanvas(canvas);
    niivue.onLocationChange = (location) => onPlace(pane.#placeOf(location));
    return pane;
  }

  /** Shows the same place and view in another pane. */
  lead(other: Pane): void {
    this.#niivue.broadcastTo([other.#niivue], { '2d': true, '3d': true });
  }

  set caption(text: string) {
    this.#caption.textContent = text;
    this.#niivue.canvas?.setAttribute('aria-label', `${text}. Arrow keys, Page Up and Page Down move the crosshair.`);
  }

  /** A gzipped NIfTI, with or without a label map over it. Without an image the label map stands alone. */
  async show(image: Blob | null, labelMap: Blob | null, rows: readonly LabelRow[]): Promise<void> {
    while (this.#niivue.volumes.length > 0) this.#niivue.removeVolumeByIndex(0);
    this.#labels = null;
    if (image !== null) this.#niivue.addVolume(await this.#read(image, 'image.nii.gz'));
    if (labelMap === null) return;
    this.#labels = await this.#read(labelMap, 'labels.nii.gz');
    this.#labels.setColormapLabel(this.#tableOf(rows));
    this.#labels.opacity = this.#opacity;
    this.#niivue.addVolume(this.#labels);
    this.recolour(rows);
  }

  recolour(rows: readonly LabelRow[]): void {
    if (this.#labels === null) return;
    this.#labels.setColormapLabel(this.#tableOf(rows));
    this.#niivue.updateGLVolume();
  }

  set opacity(value: number) {
    this.#opacity = value;
    if (this.#labels === null) return;
    const index = this.#niivue.volumes.indexOf(this.#labels);
    if (index >= 0) this.#niivue.setOpacity(index, value);
  }

  set plane(plane: Plane) {
    const { SLICE_TYPE } = this.#module;
    const types = {
      all: SLICE_TYPE.MULTIPLANAR,
      axial: SLICE_TYPE.AXIAL,
      coronal: SLICE_TYPE.CORONAL,
      sagittal: SLICE_TYPE.SAGITTAL,
      '3d': SLICE_TYPE.RENDER,
    };
    this.#niivue.setSliceType(types[plane]);
  }

  async #read(file: Blob, name: string): Promise<NVImage> {
    return await this.#module.NVImage.loadFromFile({ file: new File([file], name) });
  }

  /** Values in order of size, the background clear. */
  #tableOf(rows: readonly LabelRow[]) {
    const all = [{ value: 0, name: '', colour: [0, 0, 0] as const, shown: false }, ...rows];
    return {
      R: all.map(({ colour }) => colour[0]),
      G: all.map(({ colour }) => colour[1]),
      B: all.map(({ colour }) => colour[2]),
      A: all.map(({ shown }) => (shown ? 255 : 0)),
      I: all.map(({ value }) => value),
      labels: all.map(({ name }) => name),
    };
  }

  #placeOf(location: unknown): Place {
    const { mm, values } = locationSchema.parse(location);
    const label = this.#labels === null ? 0 : (values.at(-1)?.value ?? 0);
    return { mm: [mm[0] ?? 0, mm[1] ?? 0, mm[2] ?? 0], label };
  }

  #step(event: KeyboardEvent): void {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.#niivue.moveCrosshairInVox(...step);
  }
}
