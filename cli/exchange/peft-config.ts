import { z } from 'zod';
import { refused } from './refused.ts';

/** What of `adapter_config.json` (huggingface/peft, `LoraConfig`) decides the fused weight. */
const configSchema = z.looseObject({
  peft_type: z.string(),
  r: z.int().min(1),
  lora_alpha: z.number(),
  use_rslora: z.boolean().default(false),
  use_dora: z.boolean().default(false),
  init_lora_weights: z.union([z.boolean(), z.string()]).nullable().default(true),
  rank_pattern: z.record(z.string(), z.int().min(1)).nullable().default({}),
  alpha_pattern: z.record(z.string(), z.number()).nullable().default({}),
  modules_to_save: z.array(z.string()).nullable().default(null),
  bias: z.string().default('none'),
});

export type PeftConfig = z.infer<typeof configSchema>;

/**
 * Keys that change nothing of the fused weight: where the adapter sits is told by its tensors, the rest is about
 * training. `fan_in_fan_out` PEFT itself turns off on `nn.Linear`, and SwinUNETR has no other linear layers.
 */
const WITHOUT_EFFECT = new Set([
  'auto_mapping',
  'base_model_name_or_path',
  'revision',
  'inference_mode',
  'task_type',
  'peft_version',
  'target_modules',
  'exclude_modules',
  'layers_to_transform',
  'layers_pattern',
  'lora_dropout',
  'fan_in_fan_out',
  'eva_config',
  'corda_config',
  'lora_ga_config',
  'loftq_config',
  'megatron_core',
  'qalora_group_size',
]);
/** Starts after which the base is what it was: the factors' product is 0, or is trained from a random one. */
const STARTS_BESIDE_BASE = new Set(['gaussian', 'eva', 'orthogonal', 'mica']);
/** Starts that take the factors' product out of the base. */
const STARTS_IN_BASE = /^(?:pissa(?:_niter_\d+)?|olora|corda|lora_ga)$/;

/** Reads a configuration. Throws `not_importable` by name for everything whose effect is not known. */
export function readPeftConfig(json: unknown): PeftConfig {
  const parsed = configSchema.safeParse(json);
  if (!parsed.success) {
    const [issue] = parsed.error.issues;
    throw refused(`adapter_config.json: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'not readable'}`);
  }
  const config = parsed.data;
  if (config.peft_type !== 'LORA') throw refused(`peft_type ${config.peft_type}: only LORA can be imported`);
  if (config.bias !== 'none') throw refused(`bias "${config.bias}": only adapters trained with bias "none"`);
  for (const [key, value] of Object.entries(config)) {
    if (key in configSchema.shape || WITHOUT_EFFECT.has(key) || isOff(value)) continue;
    throw refused(`${key} ${JSON.stringify(value)} in adapter_config.json has no counterpart in this format`);
  }
  return config;
}

/** Whether the base was changed when training began, so that the factors alone do not tell the weight. */
export function startsInBase({ init_lora_weights: start }: PeftConfig): boolean {
  if (typeof start !== 'string') return false;
  if (STARTS_IN_BASE.test(start)) return true;
  if (STARTS_BESIDE_BASE.has(start)) return false;
  throw refused(`init_lora_weights "${start}": it is not known what this start does to the base`);
}

/** Rank and scale of a module: alpha / r, or alpha / sqrt(r) with rsLoRA. */
export function moduleScale(config: PeftConfig, module: string): { rank: number; scale: number } {
  const rank = fromPattern('rank_pattern', config.rank_pattern, module) ?? config.r;
  const alpha = fromPattern('alpha_pattern', config.alpha_pattern, module) ?? config.lora_alpha;
  return { rank, scale: alpha / (config.use_rslora ? Math.sqrt(rank) : rank) };
}

/** PEFT's `get_pattern_key`: `re.match(rf"(.*\.)?({key})$", module)`, the first key that matches. */
function fromPattern(name: string, patterns: Readonly<Record<string, number>> | null, module: string) {
  for (const [key, value] of Object.entries(patterns ?? {})) {
    // JSON.parse puts such keys first, so that the order of the file would be lost.
    if (/^\d+$/.test(key)) throw refused(`${name} "${key}": write the name with its dot, such as "blocks.${key}"`);
    if (pattern(name, key).test(module)) return value;
  }
  return undefined;
}

/** With `u`, an escape that JavaScript does not know is an error instead of a letter. */
function pattern(name: string, key: string): RegExp {
  try {
    return new RegExp(`^(?:.*\\.)?(?:${key})$`, 'u');
  } catch {
    throw refused(`${name} "${key}": this expression is not understood here`);
  }
}

/** Null, false, or nothing inside: a setting that is not used. */
function isOff(value: unknown): boolean {
  if (value === null || value === false) return true;
  return typeof value === 'object' && Object.keys(value).length === 0;
}
