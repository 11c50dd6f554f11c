import { createHash } from 'node:crypto';
import { readBase } from '../../gpu-runner/adapter/base.ts';
import type { CompiledAdapter } from '../../gpu-runner/adapter/compiled.ts';
import { readAdapter } from '../../gpu-runner/adapter/read-adapter.ts';
import { newHeader } from '../../gpu-runner/volume/nifti-header.ts';
import { encodeNifti, gzipNifti } from '../../gpu-runner/volume/nifti-write.ts';
import type { Vec3 } from '../../gpu-runner/volume/volume.ts';
import { selftestSchema } from '../../schemas/manifest-parts.ts';
import { selftestInput } from '../../schemas/selftest.ts';
import { mixed } from './mixed.ts';
import { SMALL_WINDOW, windowLogits } from './network.ts';
import {
  type Json,
  randomAdapterTensors,
  randomBaseTensors,
  selftestOf,
  tinyAdapterManifest,
  tinyArchitecture,
  tinyBaseManifest,
  writeAdapter,
  writeBase,
} from './safetensors-file.ts';

/** A file as the store of the edge has it. */
export interface ModelFile {
  readonly bytes: Uint8Array;
  /** SHA-256 of the file, `sha256:<hex>`. */
  readonly digest: string;
}

export interface SmallModel {
  readonly base: ModelFile & { readonly baseDigest: string };
  /** An adapter with three labels. `overrides` change its manifest. */
  adapter(overrides?: Json): Promise<ModelFile>;
}

/** Feature size 12, one block a stage: a window of 32 x 32 x 64 takes about a tenth of a second. */
const inference = { roi_size: SMALL_WINDOW, overlap: 0.5, blend: 'gaussian' };

/**
 * A valid base, and valid adapters for it: their self-tests hold what their own network answers. Another seed is
 * another base of the same architecture.
 */
export async function smallModel(channels: readonly string[] = ['T1'], seed = 1): Promise<SmallModel> {
  const architecture = tinyArchitecture({ depths: [1, 1, 1, 1], in_channels: channels.length });
  const baseTensors = randomBaseTensors(architecture, seed);
  const baseManifest = tinyBaseManifest({ architecture, channels, inference, selftest: selftestOf(2, SMALL_WINDOW) });
  const base = await readBase(writeBase(baseManifest, baseTensors));
  const run = async (adapter: CompiledAdapter | null) => {
    const voxels = SMALL_WINDOW.reduce((product, side) => product * side, channels.length);
    return await windowLogits(architecture, base.tensors, adapter, SMALL_WINDOW, selftestInput(voxels));
  };
  const bytes = writeBase({ ...baseManifest, selftest: answered(2, await run(null)) }, baseTensors);

  return {
    base: { ...fileOf(bytes), baseDigest: base.digest },
    async adapter(overrides = {}) {
      const manifest = tinyAdapterManifest(base.digest, {
        channels,
        inference,
        selftest: selftestOf(3, SMALL_WINDOW),
        ...overrides,
      });
      const tensors = randomAdapterTensors(manifest, architecture);
      const untested = await readAdapter(writeAdapter(manifest, tensors), 'sha256:untested', base);
      const selftest = answered(3, await run(untested));
      return fileOf(writeAdapter({ ...manifest, selftest, ...pick(overrides, 'selftest') }, tensors));
    },
  };
}

export function fileOf(bytes: Uint8Array): ModelFile {
  return { bytes, digest: `sha256:${createHash('sha256').update(bytes).digest('hex')}` };
}

/** A gzipped volume of hashed intensities on a grid of 1 mm. */
export async function noiseVolume(shape: Vec3, seed = 1): Promise<Uint8Array> {
  const affine = Float64Array.of(1, 0, 0, -10, 0, 1, 0, 5, 0, 0, 1, 20, 0, 0, 0, 1);
  const data = Float32Array.from({ length: shape[0] * shape[1] * shape[2] }, (_, n) => 100 * mixed(n + seed));
  return await gzipNifti(encodeNifti({ header: newHeader(shape, affine), datatype: 'float32', data }));
}

function answered(classes: number, logits: Float32Array): Json {
  const { positions, roi_size } = selftestSchema.parse(selftestOf(classes, SMALL_WINDOW));
  return { roi_size, positions, expected: positions.map((position) => logits[position] ?? Number.NaN) };
}

function pick(json: Json, key: string): Json {
  return key in json ? { [key]: json[key] } : {};
}
