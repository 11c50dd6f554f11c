import type { Tensor } from '../../gpu-runner/adapter/compiled.ts';
import {
  above,
  beside,
  frobenius,
  type Matrix,
  matrix,
  product,
  rowNorms,
  scaled,
  scaleRows,
  sum,
} from '../../gpu-runner/adapter/matrix.ts';
import { isHeadParameter, isLinearWeight } from '../../schemas/architecture.ts';
import { type Change, deltaOf, type Stored } from './change.ts';
import { type PeftConfig, startsInBase } from './peft-config.ts';
import type { PeftLayer, PeftTensors } from './peft-layers.ts';
import { refused } from './refused.ts';

/** The largest median cosine between LoRA's products and the base's weights. */
const COSINE_MAX = 0.15;

export interface PeftSource extends PeftTensors {
  readonly config: PeftConfig;
  /** The factors before training, for a start that took them out of the base. */
  readonly initial: Pick<PeftTensors, 'layers'> | null;
}

/** What a PEFT adapter changes of a base. Throws `not_importable` where it does not fit the base. */
export function peftChanges(source: PeftSource, base: ReadonlyMap<string, Tensor>): Change[] {
  if (startsInBase(source.config) && source.initial === null) {
    throw refused(
      `init_lora_weights "${source.config.init_lora_weights}" took the factors' start out of the base, and the start is ` +
        'not in the file: save with path_initial_model_for_weight_conversion, or give --initial FOLDER',
    );
  }
  if (source.initial === null) refuseHiddenStart(source, base);
  const layers = [...source.layers.values()].map((layer) => layerChange(layer, source, base));
  const saved = [...source.saved].map(([parameter, full]) => savedChange(parameter, full, base));
  const twice = saved.find((change) => layers.some(({ parameter }) => parameter === change?.parameter));
  if (twice) throw refused(`${twice.parameter} is both adapted and saved as a whole`);
  return [...layers, ...saved.filter((change) => change !== null)];
}

/**
 * PiSSA saved with `init_lora_weights` set to true by hand passes for LoRA, and fused into the base would count its
 * principal part twice. Its factors still point along the base's weight (a median cosine of 0.4 after training with
 * large steps); LoRA's, which began at 0, do not (within 0.06 in every layer).
 */
function refuseHiddenStart({ layers }: PeftSource, base: ReadonlyMap<string, Tensor>): void {
  const cosines = [...layers.values()].map((layer) => cosine(layer, base.get(`${layer.module}.weight`)));
  const median = cosines.toSorted((a, b) => a - b)[Math.floor(cosines.length / 2)] ?? 0;
  if (median < COSINE_MAX) return;
  throw refused(
    "the factors still point along the base's weights, as PiSSA begins: give its start with --initial FOLDER, or " +
      'convert it with path_initial_model_for_weight_conversion',
  );
}

/** Between `s B A` and the base's weight; 0 where there is none to compare. */
function cosine({ up, down, scale }: PeftLayer, weight: Tensor | undefined): number {
  const part = product(up, down).data;
  const size = frobenius(part) * (weight === undefined ? 0 : frobenius(weight.data));
  if (size === 0 || weight?.data.length !== part.length) return 0;
  const along = part.reduce((total, value, at) => total + value * (weight.data[at] ?? 0), 0);
  return (Math.sign(scale) * along) / size;
}

function layerChange(layer: PeftLayer, source: PeftSource, base: ReadonlyMap<string, Tensor>): Change {
  const parameter = `${layer.module}.weight`;
  const weight = base.get(parameter);
  if (weight === undefined) throw refused(`${layer.module} is no layer of this base`);
  const out = weight.shape[0] ?? 0;
  const w0 = matrix(out, weight.data.length / out, weight.data);
  if (layer.up.rows !== out || layer.down.cols !== w0.cols) {
    const found = `lora_B of ${layer.up.rows} rows and lora_A of ${layer.down.cols} columns`;
    throw refused(`${layer.module}: expected factors of a weight [${weight.shape.join(', ')}], found ${found}`);
  }
  const start = startOf(layer, source.initial);
  const expected = mergedWeight(w0, layer, start);
  return { parameter, expected, stored: storedForm(parameter, weight, layer, start, source.config, expected) };
}

/** PEFT's merge in float64: `V = W0 - s B0 A0 + s B A`, with DoRA every row of it at its magnitude's length. */
function mergedWeight(w0: Matrix, { up, down, scale, magnitude }: PeftLayer, start: Factors | null): Float64Array {
  const residual = start === null ? w0 : sum(w0, product(start.up, start.down), -scale);
  const v = sum(residual, product(up, down), scale);
  if (magnitude === null) return v.data;
  const norms = rowNorms(v);
  return scaleRows(
    v,
    magnitude.map((length, row) => length / (norms[row] ?? 0)),
  ).data;
}

interface Factors {
  readonly up: Matrix;
  readonly down: Matrix;
}

function startOf(layer: PeftLayer, initial: PeftSource['initial']): Factors | null {
  if (initial === null) return null;
  const start = initial.layers.get(layer.module);
  const same =
    start?.up.cols === layer.up.cols && start.up.rows === layer.up.rows && start.down.cols === layer.down.cols;
  if (start === undefined || !same || start.scale !== layer.scale) {
    throw refused(`${layer.module}: the initial adapter has no factors of the same shape and scale`);
  }
  return start;
}

/** Low-rank where the format has the method, merged into a dense difference where it has not. */
function storedForm(
  parameter: string,
  weight: Tensor,
  layer: PeftLayer,
  start: Factors | null,
  config: PeftConfig,
  expected: Float64Array,
): Stored {
  const { scale, magnitude } = layer;
  const isPissa = String(config.init_lora_weights).startsWith('pissa') && magnitude === null;
  if (start !== null && isPissa && isLinearWeight(parameter)) {
    const target = { parameter, method: 'pissa', rank: layer.up.cols, scale } as const;
    const roles = { up: layer.up, down: layer.down, up0: start.up, down0: start.down };
    return { kind: 'low-rank', target, roles: tensorsOf(roles) };
  }
  // PEFT's own conversion: `B A - B0 A0 = [B, -B0] [A; A0]`.
  const up = start === null ? layer.up : beside(layer.up, scaled(start.up, -1));
  const down = start === null ? layer.down : above(layer.down, start.down);
  const rank = up.cols;
  if (!isLinearWeight(parameter) || rank > Math.min(up.rows, down.cols)) {
    return { kind: 'delta', delta: deltaOf(weight, expected) };
  }
  const factors = tensorsOf({ up, down });
  if (magnitude === null)
    return { kind: 'low-rank', target: { parameter, method: 'lora', rank, scale }, roles: factors };
  const length = { shape: [magnitude.length], data: new Float32Array(magnitude) };
  const target = { parameter, method: 'dora', norm_axis: 'out', rank, scale } as const;
  return { kind: 'low-rank', target, roles: { ...factors, magnitude: length } };
}

function tensorsOf(matrices: Readonly<Record<string, Matrix>>): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(matrices).map(([role, { rows, cols, data }]) => [
      role,
      { shape: [rows, cols], data: new Float32Array(data) },
    ]),
  );
}

/** A module saved as a whole; null where it is still the base's. */
function savedChange(parameter: string, full: Tensor, base: ReadonlyMap<string, Tensor>): Change | null {
  const own = base.get(parameter);
  if (own === undefined) throw refused(`${parameter} of modules_to_save is no parameter of this base`);
  const free = isHeadParameter(parameter) ? 1 : 0;
  const fits =
    own.shape.length === full.shape.length && own.shape.every((side, axis) => axis < free || side === full.shape[axis]);
  if (!fits) {
    throw refused(
      `${parameter}: expected the base's shape [${own.shape.join(', ')}], found [${full.shape.join(', ')}]`,
    );
  }
  const same = own.data.length === full.data.length && full.data.every((value, at) => value === own.data[at]);
  return same ? null : { parameter, stored: { kind: 'full', full }, expected: full.data };
}
