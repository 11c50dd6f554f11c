/** A stream of numbers that a seed and a purpose fix for ever. */
export interface Random {
  /** Uniform in [low, high). */
  uniform(low: number, high: number): number;
  /** Whole number in low..high, both included. */
  integer(low: number, high: number): number;
  /** Standard normal. */
  normal(): number;
  choose<T>(items: readonly [T, ...T[]]): T;
}

/** FNV-1a over the purpose, so that anatomy, acquisition and noise of one seed do not move each other. */
function hash(text: string): number {
  let h = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x01000193);
  return h >>> 0;
}

/** mulberry32 (Tommy Ettinger, public domain) seeded by `seed` and `purpose`. */
export function randomStream(seed: number, purpose: string): Random {
  let state = (Math.imul(seed, 0x9e3779b1) ^ hash(purpose)) >>> 0;
  let spare: number | undefined;

  function next(): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = state;
    t = Math.imul(t ^ (t >>> 15), t | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  }

  return {
    uniform: (low, high) => low + (high - low) * next(),
    integer: (low, high) => low + Math.floor((high - low + 1) * next()),
    normal() {
      if (spare !== undefined) {
        const value = spare;
        spare = undefined;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - next()));
      const angle = 2 * Math.PI * next();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    },
    choose: (items) => items[Math.floor(items.length * next())] ?? items[0],
  };
}
