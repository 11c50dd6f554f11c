import { describe, expect, it } from 'vitest';
import { checkHeaderOf } from '../../cli/model-file.ts';
import { makePhantom } from '../../cli/phantom/phantom.ts';
import { projectPath } from '../../cli/root.ts';
import { inputWarnings } from '../../gpu-runner/inference/input-warnings.ts';
import { measureInput } from '../../gpu-runner/volume/input-statistics.ts';
import { checkAdapterFile } from '../../schemas/rules.ts';
import { trainingInputs } from '../../schemas/training-inputs.ts';

/** The demo's adapters say what they were trained on, so that a report can warn of other inputs. */

async function manifestOf(name: string) {
  const path = projectPath('models', 'phantom', `${name}.safetensors`);
  const checked = await checkHeaderOf(path, (header, size) => checkAdapterFile(header, size, null));
  if (!checked.ok) throw new Error(JSON.stringify(checked.error));
  return checked.value.manifest;
}

describe.each([
  ['deep-structures', undefined],
  ['metastasis', 'metastases'],
] as const)('the adapter %s', (name, kind) => {
  const phantom = makePhantom({ seed: 4242, grid: '2mm', ...(kind === undefined ? {} : { kind }) });
  const volume = { shape: phantom.shape, affine: phantom.affine, data: phantom.image };
  const warnings = async (input: typeof volume) => {
    const manifest = await manifestOf(name);
    const found = inputWarnings(measureInput([input]), trainingInputs(manifest.provenance), manifest);
    return found.map(({ code, channel }) => `${code} ${channel ?? '-'}`);
  };

  it('takes a head that its training has not seen for one like it', async () => {
    expect(await warnings(volume)).toEqual([]);
  });

  it('warns of voxels, of a field of view and of intensities that it was not trained on', async () => {
    const affine = phantom.affine.map((value, n) => (n % 4 < 3 ? value * 3 : value));
    const told = await warnings({ ...volume, affine });
    expect(new Set(told)).toEqual(new Set(['spacing -', 'field_of_view -']));
    // A CT's air is no 0.
    const data = phantom.image.map((value) => value - 1000);
    expect(await warnings({ ...volume, data })).toContain('intensity T1');
  });
});
