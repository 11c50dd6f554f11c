import { baseParameters } from '../../schemas/architecture.ts';
import type { Base } from './base.ts';
import { denseFuse } from './compile.ts';
import type { CompiledAdapter, Tensor } from './compiled.ts';

/**
 * Every parameter of a task's network by MONAI's names and in its order: the base's own, the adapter's where it
 * replaces one, and fused linear weights, in float64 and rounded once. For writing a network down, never for serving.
 */
export function fusedParameters(
  base: Pick<Base, 'manifest' | 'tensors'>,
  adapter: Pick<CompiledAdapter, 'slots' | 'replaced'> | null,
): Map<string, Tensor> {
  const fused = new Map<string, Tensor>();
  for (const name of baseParameters(base.manifest.architecture).keys()) {
    const own = base.tensors.get(name);
    if (own === undefined) throw new Error(`the base lacks ${name}`);
    const slot = adapter?.slots.get(name);
    const weight = slot === undefined ? own : { shape: own.shape, data: new Float32Array(denseFuse(slot, own.data)) };
    fused.set(name, adapter?.replaced.get(name) ?? weight);
  }
  return fused;
}
