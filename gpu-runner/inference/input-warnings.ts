import type { Preprocessing } from '../../schemas/manifest.ts';
import type { Warning } from '../../schemas/report.ts';
import type { TrainingInputs } from '../../schemas/training-inputs.ts';
import type { InputStatistics, Intensities } from '../volume/input-statistics.ts';

type Range = readonly [number, number];

const AXES = ['left to right', 'back to front', 'foot to head'];
/** Beyond the range of the training cases by so much is far from it. */
const FACTOR = 1.5;
/** Voxels so much larger than the network's hold too little for it. */
const COARSE = 3;

/** Where an input is far from what the adapter was trained on, as far as its provenance tells that. */
export function inputWarnings(
  input: InputStatistics,
  training: TrainingInputs | null,
  { channels, preprocessing }: { readonly channels: readonly string[]; readonly preprocessing: Preprocessing },
): Warning[] {
  const grid = training === null ? coarse(input, preprocessing) : unlikeGrid(input, training);
  if (training === null) return grid;
  const unlike = channels.flatMap((channel, n) => {
    const [found, known] = [input.intensities[n], training.intensities[channel]];
    if (found === undefined || known === undefined) return [];
    return unlikeIntensities(found, known, preprocessing.intensity.kind).map((message): Warning => {
      return { code: 'intensity', channel, message };
    });
  });
  return [...grid, ...unlike];
}

function coarse({ spacing }: InputStatistics, preprocessing: Preprocessing): Warning[] {
  const wanted = preprocessing.spacing;
  if (wanted === null) return [];
  const [found, least] = [Math.max(...spacing), Math.max(...wanted)];
  if (found <= COARSE * least) return [];
  const message = `voxels of ${short(found)} mm are far larger than the network's ${short(least)} mm`;
  return [{ code: 'spacing', channel: null, message }];
}

function unlikeGrid(input: InputStatistics, training: TrainingInputs): Warning[] {
  return AXES.flatMap((axis, n): Warning[] => {
    const about = (code: 'spacing' | 'field_of_view', what: string, found = 0, known: Range = [0, 0]): Warning[] => {
      if (found >= known[0] / FACTOR && found <= known[1] * FACTOR) return [];
      return [{ code, channel: null, message: `${what} ${axis} is ${short(found)} mm, in training ${span(known)} mm` }];
    };
    return [
      ...about('spacing', 'spacing', input.spacing[n], training.spacing[n]),
      ...about('field_of_view', 'the field of view', input.extent[n], training.extent[n]),
    ];
  });
}

/**
 * A z-score takes away the scanner's scale, so percentiles are compared as multiples of the median there; what other kinds of
 * normalisation leave is compared as it is.
 */
function unlikeIntensities(
  found: Intensities,
  known: TrainingInputs['intensities'][string],
  kind: Preprocessing['intensity']['kind'],
): string[] {
  const messages: string[] = [];
  const compare = (what: string, value: number, [low, high]: Range) => {
    const slack = Math.max(high - low, 0.25 * Math.max(Math.abs(low), Math.abs(high)));
    if (value < low - slack || value > high + slack) {
      messages.push(`${what} is ${short(value)}, in training ${span([low, high])}`);
    }
  };
  compare('the share of voxels that are not 0', found.nonzero, known.nonzero);
  if (kind !== 'zscore') {
    for (const name of ['p1', 'p50', 'p99'] as const) compare(`the percentile ${name}`, found[name], known[name]);
    return messages;
  }
  const [low, high] = [known.p99[0] / known.p50[0], known.p99[1] / known.p50[1]];
  const ratios: Range = [Math.min(low, high), Math.max(low, high)];
  if ([found.p99 / found.p50, ...ratios].every(Number.isFinite)) {
    compare('the 99th percentile over the median', found.p99 / found.p50, ratios);
  }
  return messages;
}

function span([low, high]: Range): string {
  return `${short(low)} to ${short(high)}`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
