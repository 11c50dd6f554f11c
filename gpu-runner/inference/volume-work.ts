import type { Format } from '../../schemas/answer-formats.ts';
import type { AdapterManifest } from '../../schemas/manifest.ts';
import { trainingInputs } from '../../schemas/training-inputs.ts';
import { determinant } from '../volume/affine.ts';
import { encodeLabelMap, encodeProbabilities } from '../volume/answer.ts';
import { keepLargestComponent, sizesOfLabels } from '../volume/components.ts';
import { planGrid } from '../volume/grid-plan.ts';
import { type InputStatistics, measureInput } from '../volume/input-statistics.ts';
import type { NiftiHeader } from '../volume/nifti-header.ts';
import { encodeNrrdProbabilities, encodeSegNrrd } from '../volume/nrrd-answer.ts';
import { type Prepared, prepare } from '../volume/prepare.ts';
import { readImage } from '../volume/read-image.ts';
import { checkSameGrid } from '../volume/same-grid.ts';
import { segmentsOf } from '../volume/segments.ts';
import { type Affine, type Vec3, type Volume, voxelCount } from '../volume/volume.ts';
import { inputWarnings } from './input-warnings.ts';
import type { LabelMap } from './labels.ts';
import { own } from './owned.ts';
import type { Findings } from './run-report.ts';

/** The parts of a manifest that say how a volume becomes an answer; an adapter's count before its base's. */
export type Task = Pick<
  AdapterManifest,
  'channels' | 'preprocessing' | 'inference' | 'activation' | 'labels' | 'regions' | 'postprocessing' | 'provenance'
>;

export type Output = 'labels' | 'probabilities';

export interface DecodeRequest {
  /** NIfTI or NRRD files, one a channel, in the task's order. */
  readonly files: readonly Uint8Array[];
  readonly task: Task;
  readonly maxVoxels: number;
}

/** Voxels before and after resampling: what the rest of the work costs is known from them. */
export interface Decoded {
  readonly inputVoxels: number;
  readonly shape: Vec3;
}

export interface PreparedVolume {
  /** `[channels, ...shape]` */
  readonly volume: Float32Array<ArrayBuffer>;
  readonly shape: Vec3;
}

/** What the network decided, on its grid; overwritten. */
export type OnGrid =
  /** `[...shape]` */
  | { readonly output: 'labels'; readonly labels: LabelMap }
  /** `[classes, ...shape]` */
  | { readonly output: 'probabilities'; readonly probabilities: Float32Array; readonly classes: number };

export interface AnswerRequest {
  readonly onGrid: OnGrid;
  readonly format: Format;
  /** What the answer's header says beside the labels. */
  readonly adapter: string | null;
  readonly base: string;
}

export interface Answer {
  readonly body: Uint8Array<ArrayBuffer>;
  readonly findings: Findings;
  /** Milliseconds. */
  readonly postprocess: number;
  readonly encode: number;
}

/** Of the first channel: what an answer lies on. */
interface Grid {
  readonly header: NiftiHeader;
  readonly shape: Vec3;
  readonly affine: Affine;
}

/** One volume on its way: decoded, prepared, answered, in this order. Blocks its thread while it works. */
export class VolumeWork {
  #task: Task | null = null;
  #volumes: readonly Volume[] = [];
  #grid: Grid | null = null;
  #prepared: Prepared | null = null;
  #input: InputStatistics | null = null;

  /** Throws `invalid_volume` and `grid_mismatch`. */
  async decode({ files, task, maxVoxels }: DecodeRequest): Promise<Decoded> {
    const volumes: Volume[] = [];
    for (const file of files) {
      const image = await readImage(file, { maxVoxels });
      this.#grid ??= { header: image.header, shape: image.volume.shape, affine: image.volume.affine };
      volumes.push(image.volume);
      // Before the next file takes memory too.
      checkSameGrid(volumes, task.channels);
    }
    const [first] = volumes;
    if (first === undefined) throw new RangeError('no file to decode');
    this.#task = task;
    this.#volumes = volumes;
    this.#input = measureInput(volumes);
    return { inputVoxels: voxelCount(first.shape), shape: planGrid(first, task.preprocessing).shape };
  }

  /** The volume for the network, on the grid that `decode` told. */
  prepare(): PreparedVolume {
    this.#prepared = prepare(this.#volumes, started(this.#task).preprocessing);
    this.#volumes = [];
    return { volume: own(this.#prepared.data), shape: this.#prepared.shape };
  }

  /** From what the network decided to the file on the input's grid. */
  async answer({ onGrid, format, adapter, base }: AnswerRequest): Promise<Answer> {
    const start = performance.now();
    const task = started(this.#task);
    const prepared = started(this.#prepared);
    const grid = started(this.#grid);
    const about = { labels: task.labels, adapter, base };
    const warnings = inputWarnings(started(this.#input), trainingInputs(task.provenance), task);
    const voxelMl = Math.abs(determinant(grid.affine)) / 1000;
    if (onGrid.output === 'probabilities') {
      const { probabilities, classes } = onGrid;
      const back = prepared.probabilitiesBack(probabilities, classes);
      const postprocessed = performance.now();
      const body =
        format === 'nrrd'
          ? await encodeNrrdProbabilities(grid, back, classes, about)
          : await encodeProbabilities(grid.header, back, classes, about);
      const encode = performance.now() - postprocessed;
      const findings = { sizes: null, voxelMl, warnings };
      return { body: own(body), findings, postprocess: postprocessed - start, encode };
    }
    const { labels } = onGrid;
    keepLargestComponent(labels, prepared.shape, task.postprocessing.largest_component);
    const back = prepared.labelsBack(labels);
    const findings = { sizes: sizesOfLabels(back, grid.shape), voxelMl, warnings };
    const postprocessed = performance.now();
    const body =
      format === 'nrrd'
        ? await encodeSegNrrd(grid, back, segmentsOf(task.labels, task.regions), about)
        : await encodeLabelMap(grid.header, back, about);
    const encode = performance.now() - postprocessed;
    return { body: own(body), findings, postprocess: postprocessed - start, encode };
  }
}

function started<T>(value: T | null | undefined): T {
  if (value === null || value === undefined)
    throw new Error('a volume is decoded, prepared and answered in this order');
  return value;
}
