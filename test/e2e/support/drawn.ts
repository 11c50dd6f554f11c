import { build } from 'esbuild';
import type { Page } from 'playwright-core';
import { z } from 'zod';
import { projectPath } from '../../../cli/root.ts';

export const SIDE_PIXELS = 512;
export const PLANES = ['axial', 'coronal', 'sagittal'] as const;

/** What a pane of the console has drawn of an image with a label map over it. */
export interface Drawn {
  /** Where its crosshair stands, by its own words: RAS+ millimetres. */
  readonly mm: readonly number[];
  /** Of each plane the pixels, RGBA, the lowest row first. */
  readonly planes: ReadonlyMap<(typeof PLANES)[number], Uint8Array>;
}

export interface Row {
  readonly value: number;
  readonly colour: readonly [number, number, number];
}

const drawnSchema = z.object({ mm: z.array(z.number()), planes: z.array(z.string()) });

/** The console's own pane alone on a page; it shows files at full opacity, with its crosshair in the middle of a voxel. */
const PAGE = `
import { Pane } from './viewer/pane.ts';
const blob = (text) => new Blob([Uint8Array.from(atob(text), (character) => character.charCodeAt(0))]);
let mm = [];
const pane = Pane.make(document.body, (place) => { mm = [...place.mm]; });
window.drawn = async (image, labels, rows) => {
  const { element } = await pane;
  const canvas = element.querySelector('canvas');
  const gl = canvas.getContext('webgl2');
  await (await pane).show(blob(image), blob(labels), rows.map((row) => ({ ...row, name: '', shown: true })));
  const press = (key) => canvas.dispatchEvent(new KeyboardEvent('keydown', { key }));
  for (const key of ['ArrowRight', 'ArrowLeft', 'ArrowUp', 'ArrowDown', 'PageUp', 'PageDown']) press(key);
  const planes = [];
  for (const plane of ${JSON.stringify(PLANES)}) {
    (await pane).plane = plane;
    // It draws at once, and what is drawn is gone with the task.
    (await pane).opacity = 1;
    const pixels = new Uint8Array(4 * canvas.width * canvas.height);
    gl.readPixels(0, 0, canvas.width, canvas.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
    let text = '';
    for (let at = 0; at < pixels.length; at += 8192) text += String.fromCharCode(...pixels.subarray(at, at + 8192));
    planes.push(btoa(text));
  }
  return { mm, planes };
};`;

/** Puts the pane on an empty page and answers what draws on it. */
export async function drawingOn(page: Page) {
  const { outputFiles } = await build({
    stdin: { contents: PAGE, resolveDir: projectPath('workers', 'console') },
    bundle: true,
    write: false,
    format: 'iife',
    logLevel: 'error',
  });
  await page.setContent(
    `<style>body { margin: 0 } figcaption { display: none } figure { margin: 0 }
    .frame, canvas { display: block; width: ${SIDE_PIXELS}px; height: ${SIDE_PIXELS}px }</style>`,
  );
  await page.addScriptTag({ content: outputFiles[0]?.text ?? '' });
  return async (image: Uint8Array, labels: Uint8Array, rows: readonly Row[]): Promise<Drawn> => {
    const given = [image, labels].map((file) => JSON.stringify(Buffer.from(file).toString('base64')));
    const reply = await page.evaluate(`window.drawn(${given.join(', ')}, ${JSON.stringify(rows)})`);
    const { mm, planes } = drawnSchema.parse(reply);
    return { mm, planes: new Map(PLANES.map((plane, n) => [plane, Buffer.from(planes[n] ?? '', 'base64')])) };
  };
}
