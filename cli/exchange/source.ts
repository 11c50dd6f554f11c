import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Base } from '../../gpu-runner/adapter/base.ts';
import { parseStrictJson } from '../../schemas/strict-json.ts';
import { usage } from '../failure.ts';
import { checkInputFile } from '../files.ts';
import type { Change } from './change.ts';
import { peftChanges } from './peft-changes.ts';
import { type PeftConfig, readPeftConfig } from './peft-config.ts';
import { type PeftTensors, readPeftTensors, refuseLostModules } from './peft-layers.ts';
import { refused } from './refused.ts';
import { readTensorFile } from './safetensors.ts';
import { stateDictChanges } from './state-dict-changes.ts';

export interface Source {
  changesOf(base: Base): Change[];
  /** What the source says about how it was made. */
  readonly provenance: Readonly<Record<string, unknown>>;
}

/** A PEFT folder or a fine-tuned state dict, read before a base is. */
export async function readSource(path: string, initial: string | undefined): Promise<Source> {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory()) return await readPeftFolder(path, initial);
  await checkInputFile(path);
  if (initial !== undefined) throw usage('--initial belongs to a PEFT folder');
  if (!path.endsWith('.safetensors')) {
    throw refused(
      `${path}: expected a folder of PEFT or a .safetensors file; pickled files go through pdora-train convert`,
    );
  }
  const file = await readTensorFile(path);
  const { format } = file.metadata;
  if (format === 'pdora-adapter') throw refused(`${path} is an adapter already`);
  return { changesOf: (base) => stateDictChanges(file, base.tensors), provenance: { kind: 'state dict' } };
}

async function readPeftFolder(folder: string, initialFolder: string | undefined): Promise<Source> {
  const { config, tensors } = await readPeft(folder);
  refuseLostModules(tensors, config);
  const initial = initialFolder === undefined ? null : (await readPeft(initialFolder)).tensors;
  const { peft_version, r, lora_alpha, use_rslora, use_dora, init_lora_weights, rank_pattern, alpha_pattern } = config;
  const told = { peft_version, r, lora_alpha, use_rslora, use_dora, init_lora_weights, rank_pattern, alpha_pattern };
  return {
    changesOf: (base) => peftChanges({ config, initial, ...tensors }, base.tensors),
    provenance: { kind: 'HF PEFT', ...told },
  };
}

async function readPeft(folder: string): Promise<{ config: PeftConfig; tensors: PeftTensors }> {
  const config = readPeftConfig(await readJson(join(folder, 'adapter_config.json')));
  const weights = join(folder, 'adapter_model.safetensors');
  if (!(await exists(weights))) {
    throw refused(`${folder} has no adapter_model.safetensors: save the adapter with safe_serialization=True`);
  }
  return { config, tensors: readPeftTensors(await readTensorFile(weights), config) };
}

/** Reads JSON of the user's. Throws `usage` with the path where it is none. */
export async function readJson(path: string): Promise<unknown> {
  await checkInputFile(path);
  const parsed = parseStrictJson(await readFile(path, 'utf8'));
  if (parsed.ok) return parsed.value;
  const { path: at, message } = parsed.error;
  throw usage(`${path}: ${at === '' ? '' : `${at}: `}${message}`);
}

async function exists(path: string): Promise<boolean> {
  return await stat(path).then(
    () => true,
    () => false,
  );
}
