import type { Vec3 } from './volume.ts';

type Labels = Uint8Array | Uint16Array;

/** Stretches of one label along the last axis, in C order. */
interface Runs {
  /** First voxel, and the one after the last, of each run: indices into the volume. */
  readonly begin: Int32Array;
  readonly end: Int32Array;
  /** Number of the first run of each row (i, j), and of the one after the last. */
  readonly row: Int32Array;
}

/**
 * Leaves of each label in `values` only its largest component, in place; the rest becomes 0. Voxels that share a face, an edge or a
 * corner are connected (26). Of two as large, the one with the first voxel in C order stays.
 */
export function keepLargestComponent(labels: Labels, shape: Vec3, values: readonly number[]): void {
  const wanted = new Set(values.filter((value) => value !== 0));
  if (wanted.size === 0) return;
  const runs = findRuns(labels, shape, wanted);
  const component = connect(labels, shape, runs);

  const voxels = new Float64Array(component.length);
  for (let n = 0; n < component.length; n++) {
    const first = component[n] ?? 0;
    voxels[first] = (voxels[first] ?? 0) + (runs.end[n] ?? 0) - (runs.begin[n] ?? 0);
  }
  const largest = new Map<number, number>();
  for (let n = 0; n < component.length; n++) {
    const label = labels[runs.begin[n] ?? 0] ?? 0;
    if ((voxels[n] ?? 0) > (voxels[largest.get(label) ?? -1] ?? 0)) largest.set(label, n);
  }
  for (let n = 0; n < component.length; n++) {
    const begin = runs.begin[n] ?? 0;
    if (largest.get(labels[begin] ?? 0) !== component[n]) labels.fill(0, begin, runs.end[n]);
  }
}

/** Of a label: its voxels and its components, as `keepLargestComponent` tells them apart. */
export interface LabelSize {
  readonly voxels: number;
  readonly components: number;
}

/** Every label but 0 that occurs. */
export function sizesOfLabels(labels: Labels, shape: Vec3): Map<number, LabelSize> {
  const present = new Set(labels);
  present.delete(0);
  const sizes = new Map<number, LabelSize>();
  if (present.size === 0) return sizes;
  const runs = findRuns(labels, shape, present);
  for (const [n, first] of connect(labels, shape, runs).entries()) {
    const begin = runs.begin[n] ?? 0;
    const label = labels[begin] ?? 0;
    const { voxels, components } = sizes.get(label) ?? { voxels: 0, components: 0 };
    sizes.set(label, {
      voxels: voxels + (runs.end[n] ?? 0) - begin,
      components: components + (first === n ? 1 : 0),
    });
  }
  return sizes;
}

function findRuns(labels: Labels, [ni, nj, nk]: Vec3, wanted: ReadonlySet<number>): Runs {
  const startsRun = (n: number, k: number) => wanted.has(labels[n] ?? 0) && (k === 0 || labels[n - 1] !== labels[n]);
  let count = 0;
  for (let n = 0, k = 0; n < labels.length; n++, k = k + 1 === nk ? 0 : k + 1) if (startsRun(n, k)) count++;
  const runs = { begin: new Int32Array(count), end: new Int32Array(count), row: new Int32Array(ni * nj + 1) };
  let run = 0;
  for (let row = 0; row < ni * nj; row++) {
    runs.row[row] = run;
    for (let k = 0; k < nk; k++) {
      const begin = row * nk + k;
      if (!startsRun(begin, k)) continue;
      while (k + 1 < nk && labels[row * nk + k + 1] === labels[begin]) k++;
      runs.begin[run] = begin;
      runs.end[run++] = row * nk + k + 1;
    }
  }
  runs.row[ni * nj] = run;
  return runs;
}

/** For each run the number of the first run of its component. */
function connect(labels: Labels, [ni, nj, nk]: Vec3, runs: Runs): Int32Array {
  const parent = Int32Array.from(runs.begin, (_, n) => n);
  const root = (n: number): number => {
    let at = n;
    for (let up = parent[at] ?? at; up !== at; up = parent[at] ?? at) {
      parent[at] = parent[up] ?? up;
      at = up;
    }
    return at;
  };
  for (let i = 0; i < ni; i++) {
    for (let j = 0; j < nj; j++) {
      for (const [di, dj] of EARLIER_ROWS) {
        if (i + di < 0 || j + dj < 0 || j + dj >= nj) continue;
        joinRows(i * nj + j, (i + di) * nj + j + dj);
      }
    }
  }
  return parent.map((_, n) => root(n));

  function joinRows(row: number, earlier: number): void {
    const shift = (row - earlier) * nk;
    let first = runs.row[earlier] ?? 0;
    const past = runs.row[earlier + 1] ?? 0;
    for (let a = runs.row[row] ?? 0; a < (runs.row[row + 1] ?? 0); a++) {
      const begin = (runs.begin[a] ?? 0) - shift;
      const end = (runs.end[a] ?? 0) - shift;
      while (first < past && (runs.end[first] ?? 0) < begin) first++;
      for (let b = first; b < past && (runs.begin[b] ?? 0) <= end; b++) {
        if (labels[runs.begin[a] ?? 0] !== labels[runs.begin[b] ?? 0]) continue;
        const [p, q] = [root(a), root(b)];
        parent[Math.max(p, q)] = Math.min(p, q);
      }
    }
  }
}

/** The rows before a row that touch it, along (i, j). */
const EARLIER_ROWS = [
  [-1, -1],
  [-1, 0],
  [-1, 1],
  [0, -1],
] as const;
