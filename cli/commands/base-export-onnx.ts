import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { fusedParameters } from '../../gpu-runner/adapter/fused.ts';
import { buildPlainNetwork } from '../../gpu-runner/network/plain.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import { checkWindow } from '../../schemas/architecture.ts';
import { withEngine } from '../exchange/with-engine.ts';
import { checkInputFile } from '../files.ts';
import { checkOutputFolder, writeAtomically } from '../output.ts';
import { bytes, print } from '../print.ts';

interface Options {
  base: string;
  adapter?: string;
  output: string;
  window?: Vec3;
}

/** `pdora base export-onnx`: one task as an ONNX model that needs nothing of this project. */
export function addBaseExportOnnx(base: Command): void {
  base
    .command('export-onnx')
    .description('write a base, with an adapter burnt in if one is given, as a plain ONNX model of one window')
    .requiredOption('--base <file>')
    .option('--adapter <file>', 'an adapter of this base')
    .requiredOption('-o, --output <file>', 'the ONNX file to write')
    .option('--window <x,y,z>', "sides of the window in voxels (else the task's own)", parseWindow)
    .action(async ({ base: path, adapter: adapterPath, output, window: asked }: Options) => {
      for (const input of adapterPath === undefined ? [path] : [path, adapterPath]) await checkInputFile(input);
      await checkOutputFolder(output);
      const model = await withEngine(path, 'exporting', async (engine) => {
        const adapter = adapterPath === undefined ? null : await engine.admit(await readFile(adapterPath));
        const manifest = adapter?.manifest ?? engine.base.manifest;
        const window = asked ?? manifest.inference.roi_size;
        const metadata = {
          'pdora.base': engine.base.digest,
          ...(adapter === null ? {} : { 'pdora.adapter': adapter.digest }),
          'pdora.manifest': JSON.stringify(manifest),
        };
        return buildPlainNetwork(
          engine.base.manifest.architecture,
          window,
          fusedParameters(engine.base, adapter),
          metadata,
        );
      });
      await writeAtomically(output, model);
      print(`${output}: ${bytes(model.byteLength)}`);
    });
}

function parseWindow(text: string): Vec3 {
  const [x = Number.NaN, y = Number.NaN, z = Number.NaN, ...more] = text.split(',').map(Number);
  const fault = checkWindow([x, y, z, ...more]);
  if (fault !== null) throw new InvalidArgumentError(fault);
  return [x, y, z];
}
