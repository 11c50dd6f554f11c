import type { z } from 'zod';
import { architectureSchema } from './architecture.ts';
import type { FormatProblem } from './errors.ts';
import {
  activationSchema,
  channelsSchema,
  labelsSchema,
  postprocessingSchema,
  regionsSchema,
  selftestSchema,
} from './manifest-parts.ts';
import { preview, problem } from './problems.ts';
import { isRecord } from './record.ts';

/**
 * Rules between the keys of one manifest. They read the raw JSON part by part and keep silent about a part that its
 * schema refuses, so that one fault does not hide the others.
 */
export type RawManifest = Readonly<Record<string, unknown>>;

/** A part of a manifest, or undefined where its schema refuses it. */
export function part<T extends z.ZodType>(schema: T, value: unknown): z.infer<T> | undefined {
  const parsed = schema.safeParse(value);
  return parsed.success ? parsed.data : undefined;
}

/** Channels the head must have: one a label with softmax, one a region with sigmoid. */
export function headChannels(manifest: {
  readonly activation: 'softmax' | 'sigmoid';
  readonly labels: readonly unknown[];
  readonly regions?: readonly unknown[] | undefined;
}): number {
  return manifest.activation === 'softmax' ? manifest.labels.length : (manifest.regions?.length ?? 0);
}

/** As `headChannels`, of a raw manifest; undefined where the parts it depends on are refused. */
export function rawHeadChannels(raw: RawManifest): number | undefined {
  const activation = part(activationSchema, raw['activation']);
  const labels = activation === 'softmax' ? part(labelsSchema, raw['labels']) : [];
  const regions = activation === 'sigmoid' ? part(regionsSchema, raw['regions']) : [];
  if (activation === undefined || labels === undefined || regions === undefined) return undefined;
  return headChannels({ activation, labels, regions });
}

/** Labels, regions, components and self-test: what turns logits into an answer. */
export function decisionProblems(raw: RawManifest): FormatProblem[] {
  const labels = part(labelsSchema, raw['labels']);
  return [
    ...(labels === undefined
      ? []
      : labelProblems(
          labels.map((label) => label.value),
          raw,
        )),
    ...regionProblems(raw),
    ...selftestProblems(raw),
  ];
}

/** What a base's manifest must agree on with its own architecture. */
export function baseManifestProblems(raw: RawManifest): FormatProblem[] {
  const architecture = part(architectureSchema, raw['architecture']);
  if (architecture === undefined) return [];
  const channels = rawHeadChannels(raw);
  const problems = channelProblems(raw, architecture.in_channels);
  if (channels !== undefined && channels !== architecture.out_channels) {
    const message = `expected out_channels of ${channels}, one a label or region, found ${architecture.out_channels}`;
    problems.push(problem('labels', 'manifest.architecture.out_channels', message));
  }
  return problems;
}

/** A volume for each input channel of the base. */
export function channelProblems(raw: RawManifest, inChannels: number): FormatProblem[] {
  const channels = part(channelsSchema, raw['channels']);
  if (channels === undefined || channels.length === inChannels) return [];
  const message = `expected ${inChannels} channels, as the base's in_channels, found ${channels.length}`;
  return [problem('labels', 'manifest.channels', message)];
}

/** `dora` and `pdora` name the axis of their norms: a square layer's shape does not tell it. */
export function normAxisProblems(raw: RawManifest): FormatProblem[] {
  if (!Array.isArray(raw['targets'])) return [];
  return raw['targets'].flatMap((target: unknown, index) => {
    if (!isRecord(target)) return [];
    const { method, norm_axis: axis } = target;
    if ((method !== 'dora' && method !== 'pdora') || axis !== undefined) return [];
    const path = `manifest.targets[${index}].norm_axis`;
    return [problem('norm_axis', path, `expected "in" or "out" with method ${method}, found nothing`)];
  });
}

function labelProblems(values: readonly number[], raw: RawManifest): FormatProblem[] {
  const problems: FormatProblem[] = [];
  if (values.length === 0) problems.push(problem('labels', 'manifest.labels', 'expected labels from 0, found none'));
  const gap = values.findIndex((value, index) => value !== index);
  if (gap >= 0) {
    const message = `expected values from 0 without a gap, in order: ${gap} here, found ${values[gap]}`;
    problems.push(problem('labels', `manifest.labels[${gap}].value`, message));
  }
  const known = new Set(values);
  const unlabelled = (value: number, path: string) => {
    if (!known.has(value)) problems.push(problem('labels', path, `expected a value of labels, found ${value}`));
  };
  for (const [index, region] of (part(regionsSchema, raw['regions']) ?? []).entries()) {
    unlabelled(region.value, `manifest.regions[${index}].value`);
  }
  const components = part(postprocessingSchema, raw['postprocessing'])?.largest_component ?? [];
  for (const [index, value] of components.entries()) {
    unlabelled(value, `manifest.postprocessing.largest_component[${index}]`);
  }
  return problems;
}

function regionProblems(raw: RawManifest): FormatProblem[] {
  const activation = part(activationSchema, raw['activation']);
  const has = raw['regions'] !== undefined;
  if (activation === undefined || has === (activation === 'sigmoid')) return [];
  const expected = has ? 'expected no regions with softmax' : 'expected regions with sigmoid';
  return [problem('manifest', 'manifest.regions', `${expected}, found ${preview(raw['regions'])}`)];
}

function selftestProblems(raw: RawManifest): FormatProblem[] {
  const selftest = part(selftestSchema, raw['selftest']);
  if (selftest === undefined) return [];
  const { positions, expected, roi_size: roi } = selftest;
  const problems: FormatProblem[] = [];
  const report = (path: string, message: string) =>
    problems.push(problem('manifest', `manifest.selftest.${path}`, message));
  if (expected.length !== positions.length) {
    report('expected', `expected ${positions.length} values, one a position, found ${expected.length}`);
  }
  for (const [index, position] of positions.entries()) {
    if (positions.indexOf(position) < index)
      report(`positions[${index}]`, `expected distinct ones, found ${position} again`);
  }
  const channels = rawHeadChannels(raw);
  if (channels === undefined) return problems;
  const voxels = roi[0] * roi[1] * roi[2];
  for (const [index, position] of positions.entries()) {
    if (position < channels * voxels) continue;
    report(`positions[${index}]`, `expected an index below ${channels} x ${voxels}, found ${position}`);
  }
  const covered = new Set(positions.map((position) => Math.floor(position / voxels)));
  const missing = Array.from({ length: Math.min(channels, 1 + positions.length) }, (_, k) => k).find(
    (k) => !covered.has(k),
  );
  if (missing !== undefined)
    report('positions', `expected one in every channel of ${channels}, found none in ${missing}`);
  return problems;
}
