import { type Architecture, baseParameters, HEAD_PARAMETERS, isHeadParameter, isLinearWeight } from './architecture.ts';
import type { FormatProblem } from './errors.ts';
import { part, type RawManifest, rawHeadChannels } from './manifest-rules.ts';
import { preview, problem } from './problems.ts';
import { isRecord } from './record.ts';
import { lowRankRoles, rolesOf, tensorName } from './roles.ts';
import type { SafetensorsHeader, TensorInfo } from './safetensors.ts';
import { type LowRankTarget, type Target, targetSchema } from './target.ts';

/** An entry of `targets` or `replaced` and where it stands. */
interface Claim {
  readonly parameter: string;
  readonly path: string;
  /** Null for a replaced parameter. */
  readonly target: Target | null;
}

interface Claims {
  readonly list: readonly Claim[];
  /** Whether a tensor may belong to an entry that its schema refuses: then nothing is said about it. */
  readonly mayBelong: (tensor: string) => boolean;
}

/**
 * The `tensors` and `labels` rules of an adapter's tensors against its manifest. Without `base` the rules that
 * compare with the base's parameters are left out.
 */
export function adapterTensorProblems(
  header: SafetensorsHeader,
  raw: RawManifest,
  base: Architecture | undefined,
): FormatProblem[] {
  const claims = readClaims(raw);
  const parameters = base === undefined ? undefined : baseParameters(base);
  const problems: FormatProblem[] = [...foreignProblems(header)];
  const first = new Map<string, string>();
  const claimed = new Set<string>();
  for (const claim of claims.list) {
    const roles = claim.target === null ? ['full'] : rolesOf(claim.target);
    for (const role of roles) claimed.add(tensorName(claim.parameter, role));
    const earlier = first.get(claim.parameter);
    if (earlier !== undefined) {
      problems.push(problem('tensors', claim.path, `expected each parameter once, ${earlier} claims it already`));
      continue;
    }
    first.set(claim.parameter, claim.path);
    problems.push(...missingProblems(header, claim, roles), ...claimProblems(header, claim, parameters));
  }
  for (const name of [...header.tensors.keys(), ...header.foreign.keys()]) {
    if (!claimed.has(name) && !claims.mayBelong(name)) {
      problems.push(problem('tensors', name, 'expected an entry of targets or replaced that claims it, found none'));
    }
  }
  return [...problems, ...headProblems(header, claims.list, rawHeadChannels(raw), base)];
}

function readClaims(raw: RawManifest): Claims {
  const list: Claim[] = [];
  const unread = new Set<string | undefined>();
  const targets = Array.isArray(raw['targets']) ? raw['targets'] : [undefined];
  for (const [index, value] of targets.entries()) {
    const target = part(targetSchema, value);
    if (target === undefined) unread.add(parameterOf(value));
    else list.push({ parameter: target.parameter, path: `manifest.targets[${index}].parameter`, target });
  }
  const replaced = Array.isArray(raw['replaced']) ? raw['replaced'] : [undefined];
  for (const [index, parameter] of replaced.entries()) {
    if (typeof parameter !== 'string') unread.add(undefined);
    else list.push({ parameter, path: `manifest.replaced[${index}]`, target: null });
  }
  const mayBelong = (tensor: string) => unread.has(undefined) || unread.has(tensor.slice(0, tensor.lastIndexOf('::')));
  return { list, mayBelong };
}

function parameterOf(target: unknown): string | undefined {
  if (!isRecord(target)) return undefined;
  const { parameter } = target;
  return typeof parameter === 'string' ? parameter : undefined;
}

export function foreignProblems(header: SafetensorsHeader): FormatProblem[] {
  return [...header.foreign].map(([name, dtype]) =>
    problem('tensors', name, `expected a dtype of F32, F16 or BF16, found ${dtype}`),
  );
}

function missingProblems(header: SafetensorsHeader, { parameter, path }: Claim, roles: readonly string[]) {
  return roles
    .map((role) => tensorName(parameter, role))
    .filter((name) => !header.tensors.has(name) && !header.foreign.has(name))
    .map((name) => problem('tensors', name, `expected this tensor, which ${path} needs, found none`));
}

function claimProblems(
  header: SafetensorsHeader,
  claim: Claim,
  parameters: ReadonlyMap<string, readonly number[]> | undefined,
): FormatProblem[] {
  const { parameter, path, target } = claim;
  const shape = parameters?.get(parameter);
  if (parameters !== undefined && shape === undefined) {
    return [problem('tensors', path, `expected a parameter of the base, found ${preview(parameter)}`)];
  }
  if (target === null || target.method === 'delta') {
    const tensor = header.tensors.get(tensorName(parameter, target === null ? 'full' : 'delta'));
    if (tensor === undefined || shape === undefined) return [];
    // The head's first dimension is the adapter's own class count; `headProblems` compares it with the labels.
    const free = target === null && isHeadParameter(parameter);
    return shapeProblems(tensor, free ? [tensor.shape[0] ?? 0, ...shape.slice(1)] : shape);
  }
  if (!isLinearWeight(parameter)) {
    const message = `expected a linear weight of the transformer for method ${target.method}, found ${preview(parameter)}`;
    return [problem('tensors', path, message)];
  }
  return lowRankProblems(header, target, path, shape);
}

function lowRankProblems(
  header: SafetensorsHeader,
  target: LowRankTarget,
  path: string,
  shape: readonly number[] | undefined,
): FormatProblem[] {
  const layer = shape ?? factorsLayer(header, target.parameter);
  const smaller = layer === undefined ? undefined : Math.min(...layer);
  const problems: FormatProblem[] = [];
  const rankIsLegal = target.rank >= 1 && (smaller === undefined || target.rank <= smaller);
  if (!rankIsLegal) {
    const message = `expected a rank from 1 to ${smaller ?? "the layer's smaller side"}, found ${target.rank}`;
    problems.push(problem('tensors', path.replace(/parameter$/, 'rank'), message));
  }
  for (const [role, expected] of lowRankRoles(target, layer?.[0] ?? 0, layer?.[1] ?? 0)) {
    const tensor = header.tensors.get(tensorName(target.parameter, role));
    if (tensor === undefined) continue;
    if (tensor.dtype !== 'F32') {
      problems.push(problem('tensors', tensor.name, `expected dtype F32 for role ${role}, found ${tensor.dtype}`));
    }
    if (layer !== undefined && rankIsLegal) problems.push(...shapeProblems(tensor, expected));
  }
  return problems;
}

/** The layer's `[out, in]` by the adapter's own factors, where no base tells it. */
function factorsLayer(header: SafetensorsHeader, parameter: string): readonly number[] | undefined {
  const out = header.tensors.get(tensorName(parameter, 'up'))?.shape[0];
  const into = header.tensors.get(tensorName(parameter, 'down'))?.shape[1];
  return out === undefined || into === undefined ? undefined : [out, into];
}

export function shapeProblems(tensor: TensorInfo, expected: readonly number[]): FormatProblem[] {
  const same = tensor.shape.length === expected.length && tensor.shape.every((side, axis) => side === expected[axis]);
  if (same) return [];
  return [problem('tensors', tensor.name, `expected shape ${preview(expected)}, found ${preview(tensor.shape)}`)];
}

/** The head in use, replaced or the base's, has one channel a label (softmax) or region (sigmoid). */
function headProblems(
  header: SafetensorsHeader,
  claims: readonly Claim[],
  channels: number | undefined,
  base: Architecture | undefined,
): FormatProblem[] {
  if (channels === undefined) return [];
  const problems = new Map<string, FormatProblem>();
  for (const parameter of HEAD_PARAMETERS) {
    const replaced = claims.some((claim) => claim.parameter === parameter && claim.target === null);
    const name = tensorName(parameter, 'full');
    const found = replaced ? header.tensors.get(name)?.shape[0] : base?.out_channels;
    if (found === undefined || found === channels) continue;
    const path = replaced ? name : 'manifest.labels';
    const message = `expected a head of ${channels} channels, one a label or region, found ${found}`;
    problems.set(path, problem('labels', path, message));
  }
  return [...problems.values()];
}
