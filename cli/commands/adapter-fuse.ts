import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { encodeStateDict } from '../exchange/state-dict-file.ts';
import { withEngine } from '../exchange/with-engine.ts';
import { checkInputFile } from '../files.ts';
import { checkOutputFolder, writeAtomically } from '../output.ts';
import { bytes, print } from '../print.ts';

/** `pdora adapter fuse`: a task's whole network back in MONAI's own form. */
export function addAdapterFuse(adapter: Command): void {
  adapter
    .command('fuse')
    .description("write a base with an adapter fused in as a state dict of MONAI's SwinUNETR")
    .argument('<file>')
    .requiredOption('--base <file>', 'the base it belongs to')
    .requiredOption('-o, --output <file>', 'the safetensors file to write')
    .action(async (file: string, { base, output }: { base: string; output: string }) => {
      for (const path of [file, base]) await checkInputFile(path);
      await checkOutputFolder(output);
      const fused = await withEngine(base, 'fusing', async (engine) =>
        encodeStateDict(engine.base, await engine.admit(await readFile(file))),
      );
      await writeAtomically(output, fused);
      print(`${output}: ${bytes(fused.byteLength)}`);
    });
}
