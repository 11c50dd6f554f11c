import type { Tensor } from '../../gpu-runner/adapter/compiled.ts';
import { type Matrix, matrix } from '../../gpu-runner/adapter/matrix.ts';
import type { PeftConfig } from './peft-config.ts';
import { moduleScale } from './peft-config.ts';
import { refused } from './refused.ts';
import type { TensorFile } from './safetensors.ts';

/** A module with LoRA on it. Of a convolution, kernels are laid out as rows. */
export interface PeftLayer {
  readonly module: string;
  readonly scale: number;
  /** `lora_B`, `[out, r]`. */
  readonly up: Matrix;
  /** `lora_A`, `[r, in]`, or `[r, in * k^3]` of a convolution. */
  readonly down: Matrix;
  /** `lora_magnitude_vector`, one number an output; null without DoRA. */
  readonly magnitude: Float64Array | null;
}

export interface PeftTensors {
  readonly layers: ReadonlyMap<string, PeftLayer>;
  /** Parameters of `modules_to_save`, by the network's names. */
  readonly saved: ReadonlyMap<string, Tensor>;
}

const PREFIX = /^base_model\.model\./;
const FACTOR = /^(?<module>.+)\.(?<role>lora_A\.weight|lora_B\.weight|lora_magnitude_vector)$/;

/** Sorts the tensors of `adapter_model.safetensors`. Throws `not_importable` for one that is no part of a plain LoRA. */
export function readPeftTensors(file: TensorFile, config: PeftConfig): PeftTensors {
  const [foreign] = file.foreign;
  if (foreign !== undefined) throw refused(`tensor ${foreign[0]}: expected F32, F16 or BF16, found ${foreign[1]}`);
  const modules = new Map<string, Map<string, Tensor>>();
  const saved = new Map<string, Tensor>();
  for (const [key, tensor] of file.tensors) {
    const name = key.replace(PREFIX, '');
    const { module, role } = FACTOR.exec(name)?.groups ?? {};
    if (module !== undefined && role !== undefined) {
      modules.set(module, (modules.get(module) ?? new Map<string, Tensor>()).set(role, tensor));
    } else if (isSaved(name, config)) {
      saved.set(name, tensor);
    } else {
      throw refused(`tensor ${key} is neither a LoRA factor of a layer nor part of modules_to_save`);
    }
  }
  return { layers: new Map([...modules].map(([module, parts]) => [module, layerOf(module, parts, config)])), saved };
}

/** A module of `modules_to_save` that the file does not hold would be the base's without a word. */
export function refuseLostModules({ saved }: PeftTensors, config: PeftConfig): void {
  for (const wanted of config.modules_to_save ?? []) {
    if ([...saved.keys()].some((name) => belongsTo(name, wanted))) continue;
    throw refused(
      `modules_to_save names ${wanted}, but the file does not hold it: PEFT's conversion of PiSSA drops these modules; ` +
        'save without path_initial_model_for_weight_conversion and give --initial FOLDER instead',
    );
  }
}

/** PEFT saves every module whose name ends with an entry. */
function isSaved(name: string, config: PeftConfig): boolean {
  return (config.modules_to_save ?? []).some((entry) => belongsTo(name, entry));
}

function belongsTo(parameter: string, entry: string): boolean {
  return parameter.split('.').some((_, at, parts) => at > 0 && parts.slice(0, at).join('.').endsWith(entry));
}

function layerOf(module: string, parts: ReadonlyMap<string, Tensor>, config: PeftConfig): PeftLayer {
  const [a, b] = [parts.get('lora_A.weight'), parts.get('lora_B.weight')];
  const magnitude = parts.get('lora_magnitude_vector');
  if (a === undefined || b === undefined) throw refused(`${module} has only one of lora_A and lora_B`);
  if ((magnitude !== undefined) !== config.use_dora) {
    throw refused(
      `${module} has ${config.use_dora ? 'no' : 'a'} lora_magnitude_vector, but use_dora is ${config.use_dora}`,
    );
  }
  const { rank, scale } = moduleScale(config, module);
  const out = b.shape[0] ?? 0;
  const pointwise = b.shape.slice(2).every((side) => side === 1);
  if (a.shape[0] !== rank || b.shape[1] !== rank || !pointwise) {
    const found = `lora_A [${a.shape.join(', ')}] and lora_B [${b.shape.join(', ')}]`;
    throw refused(`${module}: expected factors of rank ${rank} by adapter_config.json, found ${found}`);
  }
  if (magnitude !== undefined && magnitude.data.length !== out) {
    throw refused(`${module}: expected a lora_magnitude_vector of ${out} values, found ${magnitude.data.length}`);
  }
  return {
    module,
    scale,
    up: matrix(out, rank, b.data),
    down: matrix(rank, a.data.length / rank, a.data),
    magnitude: magnitude === undefined ? null : Float64Array.from(magnitude.data),
  };
}
