import type { Base } from '../../gpu-runner/adapter/base.ts';
import { denseFuse } from '../../gpu-runner/adapter/compile.ts';
import type { CompiledAdapter } from '../../gpu-runner/adapter/compiled.ts';
import { frobenius } from '../../gpu-runner/adapter/matrix.ts';
import { HEAD_PARAMETERS } from '../../schemas/architecture.ts';
import type { SelfTest, Target } from '../../schemas/manifest.ts';
import { tensorName } from '../../schemas/roles.ts';
import type { Change } from './change.ts';
import { encodeTensorFile, type TensorToWrite } from './safetensors.ts';

/** Positions of a self-test, shared out over the head's channels. */
const POSITIONS = 64;
/** Knuth's multiplicative hash: spread over the volume, each one once, the same on every machine. */
const GOLDEN = 0x9e3779b1;

/** An adapter's file. `keys` are the manifest's keys that do not follow from the changes. */
export function encodeAdapter(changes: readonly Change[], keys: Readonly<Record<string, unknown>>): Uint8Array {
  const targets: Target[] = [];
  const replaced: string[] = [];
  const tensors: TensorToWrite[] = [];
  for (const { parameter, stored } of changes) {
    const add = (role: string, tensor: Omit<TensorToWrite, 'name'>) =>
      tensors.push({ name: tensorName(parameter, role), ...tensor });
    if (stored.kind === 'low-rank') {
      targets.push(stored.target);
      for (const [role, tensor] of Object.entries(stored.roles)) add(role, tensor);
    } else if (stored.kind === 'delta') {
      targets.push({ parameter, method: 'delta' });
      add('delta', stored.delta);
    } else {
      replaced.push(parameter);
      add('full', stored.full);
    }
  }
  const manifest = JSON.stringify({ ...keys, targets, replaced });
  return encodeTensorFile(tensors, { format: 'pdora-adapter', format_version: '1', manifest });
}

/** Where a self-test looks at the logits of a window, in every channel. */
export function selftestPlan(channels: number, window: SelfTest['roi_size']): SelfTest {
  const voxels = window[0] * window[1] * window[2];
  const each = Math.max(1, Math.floor(POSITIONS / channels));
  const positions = Array.from({ length: channels }, (_, channel) => {
    const places = new Set<number>();
    for (let i = 1; places.size < each; i++) places.add((Math.imul(i, GOLDEN) >>> 0) % voxels);
    return [...places].map((place) => channel * voxels + place);
  }).flat();
  return { roi_size: window, positions, expected: positions.map(() => 0) };
}

/** The head's channels with these changes, and whether it is another one than the base's. */
export function headOf(changes: readonly Change[], base: Base): { changed: boolean; channels: number } {
  const [weight, bias] = HEAD_PARAMETERS;
  const ofHead = changes.filter(({ parameter }) => parameter === weight || parameter === bias);
  const full = ofHead.find(({ parameter }) => parameter === bias)?.expected.length;
  return { changed: ofHead.length > 0, channels: full ?? base.manifest.architecture.out_channels };
}

/**
 * The largest difference between the source's weights and those that a reader of the file gets, relative to the larger
 * of the source's and the base's: the file against the source's own formula, whatever was stored.
 */
export function largestMiss(changes: readonly Change[], adapter: CompiledAdapter, base: Base): number {
  let worst = 0;
  for (const { parameter, expected } of changes) {
    const own = base.tensors.get(parameter)?.data ?? new Float32Array(0);
    const slot = adapter.slots.get(parameter);
    const found = slot === undefined ? adapter.replaced.get(parameter)?.data : denseFuse(slot, own);
    if (found?.length !== expected.length) return Number.POSITIVE_INFINITY;
    const difference = frobenius(Float64Array.from(found, (value, at) => value - (expected[at] ?? Number.NaN)));
    const size = Math.max(frobenius(expected), frobenius(own));
    worst = Math.max(worst, size === 0 ? difference : difference / size);
  }
  return worst;
}
