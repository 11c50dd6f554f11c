import { transformPoint } from '../../gpu-runner/volume/affine.ts';
import { keepLargestComponent } from '../../gpu-runner/volume/components.ts';
import type { Vec3, Volume } from '../../gpu-runner/volume/volume.ts';
import { Canvas, type Colour } from './canvas.ts';
import { intensityAt, type LabelGrid, labelAt, type Plane, planesThrough, worldOf, worldToVoxel } from './plane.ts';

export interface PictureInput {
  readonly image: Volume;
  readonly truth: LabelGrid;
  readonly found: LabelGrid;
  readonly title: string;
  readonly labels: readonly { readonly value: number; readonly name: string; readonly color?: Colour | undefined }[];
}

const SIDE = 304;
const STEP_MM = 0.68;
const GAP = 6;
const LINE = 26;
const WHITE: Colour = [255, 255, 255];
const GREY: Colour = [170, 170, 170];
const COLOURS: readonly Colour[] = [
  [230, 75, 53],
  [77, 187, 213],
  [0, 160, 135],
  [243, 155, 127],
];
const FILL = 0.5;
/** Share of the voxels in the head that a picture may show as pure white. */
const WHITE_SHARE = 0.005;

/** Three planes twice: the volume alone, and under it with the labels found in colour and the truth as a white line. */
export function drawPicture({ image, truth, found, title, labels }: PictureInput): Canvas {
  const canvas = new Canvas(SIDE * 3 + GAP * 2, SIDE * 2 + 2 * LINE);
  canvas.text(title, 8, 6, WHITE);
  const colours = new Map(labels.map(({ value, color }, n) => [value, color ?? COLOURS[(n + 3) % 4] ?? WHITE]));
  const white = brightness(image);
  for (const [column, plane] of planes(image, truth).entries()) {
    const plain = drawPlane(plane, image, white);
    const marked = drawPlane(plane, image, white);
    overlay(marked, plane, found, truth, colours);
    canvas.paste(plain, column * (SIDE + GAP), LINE);
    canvas.paste(marked, column * (SIDE + GAP), LINE + SIDE);
  }
  let x = 8;
  const y = LINE + 2 * SIDE + 6;
  for (const { value, name } of labels) {
    if (value === 0) continue;
    canvas.fill(x, y, 14, 14, colours.get(value) ?? WHITE);
    canvas.text(name, x + 20, y, WHITE);
    x += 44 + name.length * 12;
  }
  canvas.text('white line: truth', x, y, GREY);
  return canvas;
}

/** Pictures one under the other. */
export function stack(pictures: readonly Canvas[]): Canvas {
  const height = pictures.reduce((sum, picture) => sum + picture.height, 0);
  const all = new Canvas(Math.max(...pictures.map(({ width }) => width)), height);
  let y = 0;
  for (const picture of pictures) {
    all.paste(picture, 0, y);
    y += picture.height;
  }
  return all;
}

function planes(image: Volume, truth: LabelGrid): readonly Plane[] {
  const largest = Uint8Array.from(truth.data);
  const values = [...new Set(largest)].filter((value) => value !== 0).toSorted((a, b) => a - b);
  keepLargestComponent(largest, truth.shape, values);
  const shown = { ...truth, data: largest };
  const middle = transformPoint(image.affine, [
    (image.shape[0] - 1) / 2,
    (image.shape[1] - 1) / 2,
    (image.shape[2] - 1) / 2,
  ]);
  const centre = centroid(shown, (value) => value !== 0) ?? middle;
  const first = centroid(shown, (value) => value === values[0]) ?? middle;
  return planesThrough([first[0], centre[1], centre[2]], middle, SIDE, STEP_MM);
}

/** Where the middle of some labels lies in the world; `undefined` where there is none of them. */
function centroid({ shape, affine, data }: LabelGrid, is: (label: number) => boolean): Vec3 | undefined {
  const [, nj, nk] = shape;
  let [i, j, k, count] = [0, 0, 0, 0];
  for (let at = 0; at < data.length; at++) {
    if (!is(data[at] ?? 0)) continue;
    i += Math.floor(at / (nj * nk));
    j += Math.floor(at / nk) % nj;
    k += at % nk;
    count += 1;
  }
  return count === 0 ? undefined : transformPoint(affine, [i / count, j / count, k / count]);
}

function brightness({ data }: Volume): number {
  const head = data.filter((value) => value > 0).toSorted();
  return head[Math.floor(head.length * (1 - WHITE_SHARE))] ?? 1;
}

function drawPlane(plane: Plane, image: Volume, white: number): Canvas {
  const canvas = new Canvas(SIDE, SIDE);
  const toVoxel = worldToVoxel(image.affine);
  for (let v = 0; v < SIDE; v++) {
    for (let u = 0; u < SIDE; u++) {
      const grey = Math.min(255, (255 * intensityAt(image, toVoxel, worldOf(plane, u, v))) / white);
      canvas.set(u, v, [grey, grey, grey]);
    }
  }
  canvas.text(plane.left, 6, SIDE / 2 - 7, WHITE);
  canvas.text(plane.rightSide, SIDE - 16, SIDE / 2 - 7, WHITE);
  canvas.text(plane.name, 6, SIDE - 20, GREY);
  return canvas;
}

function overlay(
  canvas: Canvas,
  plane: Plane,
  found: LabelGrid,
  truth: LabelGrid,
  colours: ReadonlyMap<number, Colour>,
): void {
  const foundToVoxel = worldToVoxel(found.affine);
  const truthToVoxel = worldToVoxel(truth.affine);
  const truthAt = (u: number, v: number): number => labelAt(truth, truthToVoxel, worldOf(plane, u, v));
  for (let v = 0; v < SIDE; v++) {
    for (let u = 0; u < SIDE; u++) {
      const label = labelAt(found, foundToVoxel, worldOf(plane, u, v));
      if (label !== 0) canvas.set(u, v, colours.get(label) ?? WHITE, FILL);
      const here = truthAt(u, v);
      if (here !== truthAt(u + 1, v) || here !== truthAt(u, v + 1)) canvas.set(u, v, WHITE);
    }
  }
}
