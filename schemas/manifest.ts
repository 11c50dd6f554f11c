import { z } from 'zod';
import { architectureSchema } from './architecture.ts';
import type { FormatProblem } from './errors.ts';
import { TENSORS_MAX } from './limits.ts';
import {
  digestSchema,
  type inferenceSchema,
  type labelSchema,
  type postprocessingSchema,
  type preprocessingSchema,
  type regionSchema,
  type selftestSchema,
  sharedKeys,
} from './manifest-parts.ts';
import { baseManifestProblems, decisionProblems, normAxisProblems, type RawManifest } from './manifest-rules.ts';
import { boundProblems, preview, problem } from './problems.ts';
import { isRecord } from './record.ts';
import { fail, ok, type Result } from './result.ts';
import { joinPath, parseStrictJson } from './strict-json.ts';
import { METHODS, targetSchema } from './target.ts';

export const baseManifestSchema = z.strictObject({ ...sharedKeys, architecture: architectureSchema });

export const adapterManifestSchema = z.strictObject({
  ...sharedKeys,
  base: digestSchema,
  // An entry needs a tensor at least, so that no more of them can be valid.
  targets: z.array(targetSchema).max(TENSORS_MAX),
  replaced: z.array(z.string().min(1)).max(TENSORS_MAX),
});

export type BaseManifest = z.infer<typeof baseManifestSchema>;
export type AdapterManifest = z.infer<typeof adapterManifestSchema>;
export type Label = z.infer<typeof labelSchema>;
export type Region = z.infer<typeof regionSchema>;
export type Preprocessing = z.infer<typeof preprocessingSchema>;
export type Inference = z.infer<typeof inferenceSchema>;
export type Postprocessing = z.infer<typeof postprocessingSchema>;
export type SelfTest = z.infer<typeof selftestSchema>;
export { headChannels } from './manifest-rules.ts';
export type { LowRankTarget, Method, Target } from './target.ts';

/** A manifest with every default filled in, the raw JSON for rules that go part by part, and what is wrong so far. */
export interface ReadManifest<T> {
  readonly manifest: T | null;
  readonly raw: RawManifest | null;
  readonly problems: FormatProblem[];
}

/** Reads a base's manifest with the rules that need nothing but the manifest. */
export function parseBaseManifest(json: string): Result<BaseManifest, FormatProblem[]> {
  return settle(readBaseManifest(json));
}

/** Reads an adapter's manifest with the rules that need nothing but the manifest. */
export function parseAdapterManifest(json: string): Result<AdapterManifest, FormatProblem[]> {
  return settle(readAdapterManifest(json));
}

export function readBaseManifest(json: string): ReadManifest<BaseManifest> {
  return read(baseManifestSchema, json, baseManifestProblems);
}

export function readAdapterManifest(json: string): ReadManifest<AdapterManifest> {
  return read(adapterManifestSchema, json, (raw) => [...emptinessProblems(raw), ...normAxisProblems(raw)]);
}

function read<T>(schema: z.ZodType<T>, json: string, rules: (raw: RawManifest) => FormatProblem[]): ReadManifest<T> {
  const document = parseStrictJson(json);
  if (!document.ok) {
    const { path, message } = document.error;
    return { manifest: null, raw: null, problems: [problem('manifest', manifestPath(path), message)] };
  }
  const raw = document.value;
  if (!isRecord(raw)) {
    const message = `expected an object, found ${preview(raw)}`;
    return { manifest: null, raw: null, problems: [problem('manifest', 'manifest', message)] };
  }
  const parsed = schema.safeParse(raw);
  const problems = [
    ...(parsed.success ? [] : parsed.error.issues.flatMap((issue) => issueProblems(issue, raw))),
    ...rules(raw),
    ...decisionProblems(raw),
  ];
  return { manifest: parsed.success ? parsed.data : null, raw, problems };
}

function settle<T>({ manifest, problems }: ReadManifest<T>): Result<T, FormatProblem[]> {
  return manifest !== null && problems.length === 0 ? ok(manifest) : fail(boundProblems(problems));
}

function emptinessProblems(raw: RawManifest): FormatProblem[] {
  const empty = [raw['targets'], raw['replaced']].every((list) => Array.isArray(list) && list.length === 0);
  if (!empty) return [];
  return [problem('manifest', 'manifest.targets', 'expected targets or replaced parameters, found neither')];
}

function issueProblems(issue: z.core.$ZodIssue, raw: unknown): FormatProblem[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => problem('manifest', pathOf([...issue.path, key]), unknownKey(issue.path, raw)));
  }
  const found = valueAt(raw, issue.path);
  // A missing axis has a code of its own, given by `normAxisProblems`.
  if (issue.path.at(-1) === 'norm_axis' && found === undefined) return [];
  return [problem('manifest', pathOf(issue.path), `${expectation(issue)}, found ${preview(found)}`)];
}

function unknownKey(path: readonly PropertyKey[], raw: unknown): string {
  const target = path[0] === 'targets' && path.length === 2 ? valueAt(raw, path) : undefined;
  if (!isRecord(target)) return 'expected no such key';
  const { method, form } = target;
  return `expected no such key with method ${preview(method)}${form === undefined ? '' : ` in form ${preview(form)}`}`;
}

function expectation(issue: z.core.$ZodIssue): string {
  if (issue.code === 'custom' || issue.code === 'invalid_format') return issue.message;
  if (issue.code === 'invalid_union' && issue.discriminator === 'method')
    return `expected one of ${METHODS.join(', ')}`;
  if (issue.code === 'invalid_union' && issue.discriminator === 'form') return 'expected factor or additive';
  if (issue.code === 'invalid_union') return 'expected none, zscore or range';
  return issue.message.replace(/^Invalid [a-z]+: |, received .*$/g, '');
}

function valueAt(value: unknown, path: readonly PropertyKey[]): unknown {
  return path.reduce<unknown>((at, key) => {
    return typeof at === 'object' && at !== null && Object.hasOwn(at, key) ? Reflect.get(at, key) : undefined;
  }, value);
}

function pathOf(path: readonly PropertyKey[]): string {
  return manifestPath(joinPath(path));
}

function manifestPath(path: string): string {
  if (path === '') return 'manifest';
  return path.startsWith('[') ? `manifest${path}` : `manifest.${path}`;
}
