import { encode } from 'fast-png';
import { GLYPH_HEIGHT, GLYPH_WIDTH, glyph } from './font.ts';

export type Colour = readonly [red: number, green: number, blue: number];

/** An RGB picture that is drawn on pixel by pixel. */
export class Canvas {
  readonly width: number;
  readonly height: number;
  readonly #data: Uint8Array;

  constructor(width: number, height: number) {
    this.width = width;
    this.height = height;
    this.#data = new Uint8Array(width * height * 3);
  }

  /** Mixes `colour` into a pixel; what lies outside is left out. */
  set(x: number, y: number, colour: Colour, opacity = 1): void {
    if (x < 0 || y < 0 || x >= this.width || y >= this.height) return;
    const at = (y * this.width + x) * 3;
    for (const [n, value] of colour.entries()) {
      this.#data[at + n] = Math.round(value * opacity + (this.#data[at + n] ?? 0) * (1 - opacity));
    }
  }

  fill(x: number, y: number, width: number, height: number, colour: Colour): void {
    for (let v = y; v < y + height; v++) for (let u = x; u < x + width; u++) this.set(u, v, colour);
  }

  /** Text from its upper left corner, each of its pixels `size` wide. */
  text(text: string, x: number, y: number, colour: Colour, size = 2): void {
    for (const [n, character] of text.split('').entries()) {
      const columns = glyph(character);
      for (const [u, bits] of columns.entries()) {
        for (let v = 0; v < GLYPH_HEIGHT; v++) {
          if ((bits >> v) & 1) this.fill(x + (n * GLYPH_WIDTH + u) * size, y + v * size, size, size, colour);
        }
      }
    }
  }

  /** Puts another picture into this one. */
  paste(other: Canvas, x: number, y: number): void {
    for (let v = 0; v < other.height; v++) {
      const row = other.#data.subarray(v * other.width * 3, (v + 1) * other.width * 3);
      this.#data.set(row, ((y + v) * this.width + x) * 3);
    }
  }

  toPng(): Uint8Array {
    return encode({ width: this.width, height: this.height, data: this.#data, channels: 3, depth: 8 });
  }
}
