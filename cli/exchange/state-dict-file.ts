import type { Base } from '../../gpu-runner/adapter/base.ts';
import type { CompiledAdapter } from '../../gpu-runner/adapter/compiled.ts';
import { fusedParameters } from '../../gpu-runner/adapter/fused.ts';
import { positionIndex } from '../../gpu-runner/network/attention-windows.ts';
import { encodeTensorFile, type TensorToWrite } from './safetensors.ts';

/** Tokens of a full attention window, 7^3: MONAI's index buffers are those of a full window whatever the volume. */
const WINDOW_TOKENS = 7 ** 3;
const TABLE = 'relative_position_bias_table';
/** The buffer beside each table: fixed by the architecture, but strict loading asks for it. */
export const INDEX_BUFFER = 'relative_position_index';

/**
 * A task's whole network as the state dict of MONAI's SwinUNETR, float32, its index buffers among it, so that
 * `load_state_dict(load_file(path))` takes it as it is.
 */
export function encodeStateDict(base: Base, adapter: CompiledAdapter | null): Uint8Array {
  const index = BigInt64Array.from(positionIndex(WINDOW_TOKENS), BigInt);
  const tensors: TensorToWrite[] = [];
  for (const [name, { shape, data }] of fusedParameters(base, adapter)) {
    tensors.push({ name, shape, data });
    if (!name.endsWith(TABLE)) continue;
    const buffer = `${name.slice(0, -TABLE.length)}${INDEX_BUFFER}`;
    tensors.push({ name: buffer, shape: [WINDOW_TOKENS, WINDOW_TOKENS], data: index });
  }
  return encodeTensorFile(tensors, { format: 'pt' });
}
