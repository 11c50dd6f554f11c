import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { z } from 'zod';
import { readBase } from '../../gpu-runner/adapter/base.ts';
import { readAdapter } from '../../gpu-runner/adapter/read-adapter.ts';
import { selftestInput } from '../../schemas/selftest.ts';
import { SMALL_WINDOW, windowLogits } from '../support/network.ts';
import { type FileTensor, randomNumbers, writeSafetensors } from '../support/safetensors-file.ts';
import { type ModelFile, smallModel } from '../support/small-model.ts';
import { pdora } from './run.ts';

const QKV = 'swinViT.layers1.0.blocks.0.attn.qkv';
const VOXELS = SMALL_WINDOW.reduce((product, side) => product * side, 1);

let folder: string;
let base: string;
let adapterFile: ModelFile;
const path = (name: string) => join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pdora-import-'));
  base = path('base.safetensors');
  const model = await smallModel();
  adapterFile = await model.adapter();
  await writeFile(base, model.base.bytes);
  await writeFile(path('adapter.safetensors'), adapterFile.bytes);
});
afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

function tensor(key: string, shape: number[], seed: number): FileTensor {
  const length = shape.reduce((a, b) => a * b, 1);
  return { name: `base_model.model.${key}`, dtype: 'F32', shape, data: randomNumbers(seed, length) };
}

/** A folder as PEFT saves it, LoRA of rank 2 on one layer and a head of three channels. */
async function peftFolder(name: string, changes: Record<string, unknown> = {}): Promise<string> {
  await mkdir(path(name));
  const tensors = [
    tensor(`${QKV}.lora_A.weight`, [2, 12], 1),
    tensor(`${QKV}.lora_B.weight`, [36, 2], 2),
    tensor('out.conv.conv.weight', [3, 12, 1, 1, 1], 3),
    tensor('out.conv.conv.bias', [3], 4),
  ];
  const config = { peft_type: 'LORA', r: 2, lora_alpha: 3, modules_to_save: ['out.conv.conv'], ...changes };
  await writeFile(join(path(name), 'adapter_config.json'), JSON.stringify(config));
  await writeFile(join(path(name), 'adapter_model.safetensors'), writeSafetensors(tensors, { format: 'pt' }));
  return path(name);
}

async function logitsOf(file: string): Promise<Float32Array> {
  const own = await readBase(await readFile(base));
  const adapter = await readAdapter(await readFile(file), 'sha256:x', own);
  return await windowLogits(own.manifest.architecture, own.tensors, adapter, SMALL_WINDOW, selftestInput(VOXELS));
}

function largest(values: Iterable<number>): number {
  let most = 0;
  for (const value of values) most = Math.max(most, Math.abs(value));
  return most;
}

describe('pdora adapter import', () => {
  it('makes an adapter of a PEFT folder that passes every rule', async () => {
    await writeFile(path('labels.json'), JSON.stringify(['background', 'left', 'right']));
    const source = await peftFolder('clinic-lora');
    const out = path('imported.safetensors');
    const made = await pdora(['adapter', 'import', source, '--base', base, '-o', out, '--labels', path('labels.json')]);
    expect(made.stderr).toBe('');
    expect(made.status).toBe(0);
    expect(made.stdout).toMatch(/^lora of rank 2 +1 parameters$/m);
    expect(made.stdout).toMatch(/^the base's own +channels, preprocessing, inference$/m);
    const checked = await pdora(['adapter', 'check', out, '--base', base]);
    expect(checked.stdout).toMatch(/^valid adapter/);
    const inspected = await pdora(['adapter', 'inspect', out, '--json']);
    expect(JSON.parse(inspected.stdout)).toMatchObject({
      name: 'clinic-lora',
      targets: [{ parameter: `${QKV}.weight`, method: 'lora', rank: 2, scale: 1.5 }],
      replaced: ['out.conv.conv.weight', 'out.conv.conv.bias'],
      labels: [{ name: 'background' }, { name: 'left' }, { name: 'right' }],
      provenance: { source: { kind: 'HF PEFT', r: 2, lora_alpha: 3 } },
    });
  });

  it.each<[string, Record<string, unknown>, string[], number, RegExp]>([
    ['labels for a head of its own', {}, [], 2, /^pdora: usage: .*--labels FILE\.json with 3 labels/],
    ['a start for PiSSA', { init_lora_weights: 'pissa' }, ['--labels', 'labels.json'], 1, /--initial FOLDER/],
    ['a name', {}, ['--labels', 'labels.json', '--name', 'Not A Name'], 2, /"Not A Name"; give --name/],
    ['a label a channel', {}, ['--labels', 'two.json'], 1, /^pdora: invalid_adapter: the imported adapter has/],
  ])('asks for %s in one line and writes nothing', async (what, changes, options, status, line) => {
    await writeFile(path('labels.json'), JSON.stringify(['background', 'left', 'right']));
    await writeFile(path('two.json'), JSON.stringify(['background', 'left']));
    const source = await peftFolder(what.replaceAll(' ', '-').toLowerCase(), changes);
    const out = path('never.safetensors');
    const given = options.map((option) => (option.endsWith('.json') ? path(option) : option));
    const made = await pdora(['adapter', 'import', source, '--base', base, '-o', out, ...given]);
    expect(made.stderr).toMatch(line);
    expect(made.stderr.match(/\n/g)).toHaveLength(1);
    expect(made.status).toBe(status);
    await expect(readFile(out)).rejects.toThrow('ENOENT');
  });
});

describe('pdora adapter fuse', () => {
  it('writes a network that, imported again, answers as the adapter did', async () => {
    const [fused, again] = [path('fused.safetensors'), path('again.safetensors')];
    const written = await pdora(['adapter', 'fuse', path('adapter.safetensors'), '--base', base, '-o', fused]);
    expect(written.stderr).toBe('');
    const labels = ['--labels', path('labels.json')];
    await writeFile(path('labels.json'), JSON.stringify(['background', 'left', 'right']));
    const made = await pdora(['adapter', 'import', fused, '--base', base, '-o', again, ...labels]);
    expect(made.stderr).toBe('');
    // The adapter's one target has rank 2, and the import finds it.
    expect(made.stdout).toMatch(/^lora of rank 2 +1 parameters$/m);
    const [before, after] = [await logitsOf(path('adapter.safetensors')), await logitsOf(again)];
    expect(largest(before.map((value, at) => value - (after[at] ?? Number.NaN)))).toBeLessThan(1e-4 * largest(before));
  });

  it('refuses an adapter of another base', async () => {
    const other = path('other.safetensors');
    await writeFile(other, (await smallModel(['T1'], 2)).base.bytes);
    const run = await pdora(['adapter', 'fuse', path('adapter.safetensors'), '--base', other, '-o', path('no')]);
    expect(run.status).toBe(1);
    expect(run.stderr).toMatch(/^pdora: invalid_adapter: /);
  });
});

describe('pdora base export-onnx', () => {
  it('writes a model with the image its only input, which answers as the runner does', async () => {
    const out = path('model.onnx');
    const models = ['--base', base, '--adapter', path('adapter.safetensors')];
    const run = await pdora(['base', 'export-onnx', ...models, '-o', out]);
    expect(run.stderr).toBe('');
    const session = await InferenceSession.create(out);
    expect([session.inputNames, session.outputNames]).toEqual([['image'], ['logits']]);
    const image = new Tensor('float32', selftestInput(VOXELS), [1, 1, ...SMALL_WINDOW]);
    const found = z.instanceof(Float32Array).parse((await session.run({ image }))['logits']?.data);
    await session.release();
    const expected = await logitsOf(path('adapter.safetensors'));
    expect(found).toHaveLength(expected.length);
    expect(largest(found.map((value, at) => value - (expected[at] ?? Number.NaN)))).toBeLessThan(
      1e-4 * largest(expected),
    );
  });

  it.each(['64,64', '64,64,63', '32,32,32', 'a,b,c'])('refuses the window %s', async (window) => {
    const run = await pdora(['base', 'export-onnx', '--base', base, '-o', path('no.onnx'), '--window', window]);
    expect(run.status).toBe(2);
    expect(run.stderr).toMatch(/^pdora: usage: /);
  });
});
