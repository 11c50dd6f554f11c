import { adapterTensorProblems, foreignProblems, shapeProblems } from './adapter-tensors.ts';
import { type Architecture, architectureSchema, baseParameters } from './architecture.ts';
import type { FormatProblem } from './errors.ts';
import { ADAPTER_MAX_BYTES, BASE_MAX_BYTES } from './limits.ts';
import {
  type AdapterManifest,
  type BaseManifest,
  type ReadManifest,
  readAdapterManifest,
  readBaseManifest,
} from './manifest.ts';
import { digestSchema } from './manifest-parts.ts';
import { channelProblems, part, type RawManifest } from './manifest-rules.ts';
import { boundProblems, preview, problem } from './problems.ts';
import { fail, ok, type Result } from './result.ts';
import { type SafetensorsHeader, scanHeader } from './safetensors.ts';

/** The edge's rules of section 4 of the format page: everything that a header alone can tell. */

export type FindBase = (digest: string) => Architecture | undefined;

export interface CheckedFile<T> {
  readonly header: SafetensorsHeader;
  readonly manifest: T;
}

export function checkBaseHeader(header: SafetensorsHeader): Result<BaseManifest, FormatProblem[]> {
  return settle(inspectBase(header));
}

/** `findBase` gives the architecture of a base that is served here, by its base digest. */
export function checkAdapterHeader(
  header: SafetensorsHeader,
  findBase: FindBase,
): Result<AdapterManifest, FormatProblem[]> {
  return settle(inspectAdapter(header, findBase));
}

/** The rules that need no base: nothing is said about `unknown_base` and the base's parameters, shapes and channels. */
export function checkAdapterWithoutBase(header: SafetensorsHeader): Result<AdapterManifest, FormatProblem[]> {
  return settle(inspectAdapter(header, null));
}

/** As `readHeader` and `checkBaseHeader` in one, with the problems of both where the header is readable. */
export function checkBaseFile(
  headerBytes: Uint8Array,
  fileBytes: number,
): Result<CheckedFile<BaseManifest>, FormatProblem[]> {
  return checkFile(headerBytes, fileBytes, inspectBase);
}

/** As `readHeader` and `checkAdapterHeader` in one; `findBase` null as in `checkAdapterWithoutBase`. */
export function checkAdapterFile(
  headerBytes: Uint8Array,
  fileBytes: number,
  findBase: FindBase | null,
): Result<CheckedFile<AdapterManifest>, FormatProblem[]> {
  return checkFile(headerBytes, fileBytes, (header) => inspectAdapter(header, findBase));
}

interface Inspected<T> {
  readonly manifest: T | null;
  readonly problems: readonly FormatProblem[];
}

function inspectBase(header: SafetensorsHeader): Inspected<BaseManifest> {
  const { manifest, raw, problems } = readDescribed(header, 'pdora-base', readBaseManifest);
  const size = sizeProblems(header, BASE_MAX_BYTES);
  return { manifest, problems: [...size, ...problems, ...(raw === null ? [] : baseTensorProblems(header, raw))] };
}

function inspectAdapter(header: SafetensorsHeader, findBase: FindBase | null): Inspected<AdapterManifest> {
  const { manifest, raw, problems } = readDescribed(header, 'pdora-adapter', readAdapterManifest);
  const found = [...sizeProblems(header, ADAPTER_MAX_BYTES), ...problems];
  if (raw === null) return { manifest, problems: found };
  const digest = part(digestSchema, raw['base']);
  const base = digest === undefined ? undefined : findBase?.(digest);
  if (digest !== undefined && findBase !== null && base === undefined) {
    found.push(problem('unknown_base', 'manifest.base', `expected a base that is served here, found ${digest}`));
  }
  if (base !== undefined) found.push(...channelProblems(raw, base.in_channels));
  return { manifest, problems: [...found, ...adapterTensorProblems(header, raw, base)] };
}

/** The three entries of `__metadata__`; of another version nothing more is said. */
function readDescribed<T>(
  header: SafetensorsHeader,
  format: string,
  readManifest: (json: string) => ReadManifest<T>,
): ReadManifest<T> {
  const { format: foundFormat, format_version: version, manifest } = header.metadata;
  const problems: FormatProblem[] = [];
  if (foundFormat !== format) {
    problems.push(problem('manifest', '__metadata__.format', `expected "${format}", found ${preview(foundFormat)}`));
  }
  if (version !== '1') {
    problems.push(problem('manifest', '__metadata__.format_version', `expected "1", found ${preview(version)}`));
  }
  if (manifest === undefined) {
    problems.push(problem('manifest', '__metadata__.manifest', 'expected the manifest as JSON, found nothing'));
  }
  if (problems.length > 0 || manifest === undefined) return { manifest: null, raw: null, problems };
  return readManifest(manifest);
}

function baseTensorProblems(header: SafetensorsHeader, raw: RawManifest): FormatProblem[] {
  const problems = foreignProblems(header);
  const architecture = part(architectureSchema, raw['architecture']);
  if (architecture === undefined) return problems;
  const parameters = baseParameters(architecture);
  for (const [name, shape] of parameters) {
    const tensor = header.tensors.get(name);
    if (tensor !== undefined) problems.push(...shapeProblems(tensor, shape));
    else if (!header.foreign.has(name)) {
      problems.push(problem('tensors', name, `expected this parameter of shape ${preview(shape)}, found none`));
    }
  }
  for (const name of [...header.tensors.keys(), ...header.foreign.keys()]) {
    if (!parameters.has(name)) problems.push(problem('tensors', name, "expected MONAI's parameters alone, found this"));
  }
  return problems;
}

function sizeProblems(header: SafetensorsHeader, mostBytes: number): FormatProblem[] {
  if (header.fileBytes <= mostBytes) return [];
  return [problem('container', '', `expected a file of at most ${mostBytes} bytes, found ${header.fileBytes}`)];
}

function checkFile<T>(
  headerBytes: Uint8Array,
  fileBytes: number,
  inspect: (header: SafetensorsHeader) => Inspected<T>,
): Result<CheckedFile<T>, FormatProblem[]> {
  const { header, problems } = scanHeader(headerBytes, fileBytes);
  if (header === null) return fail(boundProblems(problems));
  const inspected = inspect(header);
  const checked = settle({ ...inspected, problems: [...problems, ...inspected.problems] });
  return checked.ok ? ok({ header, manifest: checked.value }) : checked;
}

function settle<T>({ manifest, problems }: Inspected<T>): Result<T, FormatProblem[]> {
  return manifest !== null && problems.length === 0 ? ok(manifest) : fail(boundProblems(problems));
}
