import type { Tensor } from '../../gpu-runner/adapter/compiled.ts';
import { frobenius, type Matrix, matrix, sum } from '../../gpu-runner/adapter/matrix.ts';
import { HEAD_PARAMETERS, isHeadParameter, isLinearWeight } from '../../schemas/architecture.ts';
import { type Change, deltaOf, type Stored } from './change.ts';
import { lowRankFactors } from './low-rank.ts';
import { refused } from './refused.ts';
import type { TensorFile } from './safetensors.ts';
import { INDEX_BUFFER } from './state-dict-file.ts';

/** Ranks above this are stored dense: what was trained with a low-rank method is below it, its start included. */
const RANK_MAX = 128;
/** Relative to the difference: what float32 leaves of a low-rank product. */
const NOISE = 1e-5;
/** Relative to the weight: one rounding of it to float32. */
const ROUNDING = 2 ** -23;

/**
 * What a fine-tuned state dict of MONAI's SwinUNETR changes of a base. A linear weight whose difference is of low rank
 * up to float32's noise becomes `lora`, any other one a dense `delta`; the head and all other parameters are kept whole.
 * Throws `not_importable` where the dict is not one of the base's network.
 */
export function stateDictChanges(file: TensorFile, base: ReadonlyMap<string, Tensor>): Change[] {
  refuseStrangers(file, base);
  const changes: Change[] = [];
  for (const [parameter, own] of base) {
    const tensor = file.tensors.get(parameter);
    if (tensor === undefined) throw refused(`the state dict has no ${parameter}`);
    const free = isHeadParameter(parameter) ? 1 : 0;
    const fits =
      own.shape.length === tensor.shape.length &&
      own.shape.every((side, axis) => axis < free || side === tensor.shape[axis]);
    if (!fits) {
      const shapes = `expected the base's shape [${own.shape.join(', ')}], found [${tensor.shape.join(', ')}]`;
      throw refused(`${parameter}: ${shapes}`);
    }
    const stored = isHeadParameter(parameter) ? headForm(file, base, tensor) : storedForm(parameter, own, tensor);
    if (stored !== null) changes.push({ parameter, stored, expected: tensor.data });
  }
  return changes;
}

function refuseStrangers(file: TensorFile, base: ReadonlyMap<string, Tensor>): void {
  for (const [name, dtype] of file.foreign) {
    if (name.endsWith(`.attn.${INDEX_BUFFER}`)) continue;
    throw refused(`tensor ${name}: expected F32, F16 or BF16, found ${dtype}`);
  }
  for (const name of file.tensors.keys()) {
    if (!base.has(name)) throw refused(`tensor ${name} is no parameter of MONAI's SwinUNETR as this base has it`);
  }
}

/** Both parameters of the head or neither: they belong to the same labels. */
function headForm(file: TensorFile, base: ReadonlyMap<string, Tensor>, full: Tensor): Stored | null {
  const changed = HEAD_PARAMETERS.some((name) => !isSame(base.get(name), file.tensors.get(name)));
  return changed ? { kind: 'full', full } : null;
}

function isSame(a: Tensor | undefined, b: Tensor | undefined): boolean {
  return a?.data.length === b?.data.length && a?.data.every((value, at) => value === b?.data[at]) === true;
}

function storedForm(parameter: string, own: Tensor, tensor: Tensor): Stored | null {
  if (isSame(own, tensor)) return null;
  if (!isLinearWeight(parameter)) return { kind: 'full', full: tensor };
  const [out = 0, into = 0] = own.shape;
  const change = sum(matrix(out, into, tensor.data), matrix(out, into, own.data), -1);
  const floor = Math.max(NOISE * frobenius(change.data), ROUNDING * frobenius(tensor.data));
  // More ranks would take more room than the difference itself.
  const most = Math.min(RANK_MAX, Math.ceil((out * into) / (out + into)) - 1);
  const factors = lowRankFactors(change, floor, most);
  if (factors === null) return { kind: 'delta', delta: deltaOf(own, tensor.data) };
  const rank = factors.up.cols;
  if (rank === 0) return null;
  const roles = { up: tensorOf(factors.up), down: tensorOf(factors.down) };
  return { kind: 'low-rank', target: { parameter, method: 'lora', rank, scale: 1 }, roles };
}

function tensorOf({ rows, cols, data }: Matrix): Tensor {
  return { shape: [rows, cols], data: new Float32Array(data) };
}
