/** An array that has its buffer to itself, so that it can be moved to another thread. */
export type Owned = Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer> | Float32Array<ArrayBuffer>;

/** The same array where it has its buffer to itself, else a copy that does. */
export function own(array: Uint8Array): Uint8Array<ArrayBuffer>;
export function own(array: Uint8Array | Uint16Array): Uint8Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
export function own(array: Float32Array): Float32Array<ArrayBuffer>;
export function own(array: Uint8Array | Uint16Array | Float32Array): Owned {
  const { buffer } = array;
  const whole = buffer instanceof ArrayBuffer && buffer.byteLength === array.byteLength;
  // Over a buffer this makes a view, over an array a copy; a Buffer's own slice would share its pool.
  if (array instanceof Uint8Array) return whole ? new Uint8Array(buffer) : new Uint8Array(array);
  if (array instanceof Uint16Array) return whole ? new Uint16Array(buffer) : new Uint16Array(array);
  return whole ? new Float32Array(buffer) : new Float32Array(array);
}
