import { invalidVolume } from './invalid.ts';
import type { Vec3, Voxels } from './volume.ts';

/** Neighbouring i are placed together, so that both sides of the transposition stay in the processor's cache. */
const BLOCK = 16;

/** Puts voxels that come in a file's order, the first axis fastest, into C order. */
export class Placer {
  readonly #out: Voxels;
  readonly #shape: Vec3;
  #done = 0;

  constructor(out: Voxels, shape: Vec3) {
    this.#out = out;
    this.#shape = shape;
  }

  /**
   * Puts the next voxels, scaled and rounded to float32, or as they are.
   *
   * @throws ServiceError `invalid_volume` at the first that is not finite
   */
  put(values: ArrayLike<number>, scaling: { readonly slope: number; readonly intercept: number } | null): void {
    const [ni, nj] = this.#shape;
    const scaled = scaling === null ? values : this.#scaled(values, scaling.slope, scaling.intercept);
    const slice = ni * nj;
    if (this.#done % slice === 0 && scaled.length % slice === 0) this.#putSlices(scaled, this.#done / slice);
    else for (let n = 0; n < scaled.length; n++) this.#out[this.#placeOf(this.#done + n)] = scaled[n] ?? 0;
    this.#done += scaled.length;
  }

  #scaled(values: ArrayLike<number>, slope: number, intercept: number): Float32Array {
    const out = new Float32Array(values.length);
    for (let n = 0; n < out.length; n++) {
      const value = Math.fround((values[n] ?? 0) * slope + intercept);
      if (!Number.isFinite(value)) throw this.#notFinite(this.#done + n);
      out[n] = value;
    }
    return out;
  }

  #notFinite(index: number): Error {
    const [ni, nj] = this.#shape;
    const [i, j, k] = [index % ni, Math.floor(index / ni) % nj, Math.floor(index / (ni * nj))];
    return invalidVolume(`Voxel (${i}, ${j}, ${k}) is NaN, infinite or beyond float32.`);
  }

  #placeOf(index: number): number {
    const [ni, nj, nk] = this.#shape;
    return ((index % ni) * nj + (Math.floor(index / ni) % nj)) * nk + Math.floor(index / (ni * nj));
  }

  #putSlices(values: ArrayLike<number>, firstK: number): void {
    const out = this.#out;
    const [ni, nj, nk] = this.#shape;
    const slices = values.length / (ni * nj);
    for (let j = 0; j < nj; j++) {
      for (let first = 0; first < ni; first += BLOCK) {
        const last = Math.min(first + BLOCK, ni);
        for (let k = 0; k < slices; k++) {
          for (let i = first; i < last; i++) {
            out[(i * nj + j) * nk + firstK + k] = values[(k * nj + j) * ni + i] ?? 0;
          }
        }
      }
    }
  }
}
