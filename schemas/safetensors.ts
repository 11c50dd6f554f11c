import { dtypeBits, isWeightDtype, type WeightDtype } from './dtypes.ts';
import type { FormatProblem } from './errors.ts';
import { HEADER_MAX_BYTES, TENSORS_MAX } from './limits.ts';
import { boundProblems, preview, problem } from './problems.ts';
import { isRecord } from './record.ts';
import { fail, ok, type Result } from './result.ts';
import { parseStrictJson } from './strict-json.ts';

/** A tensor of the file; `begin` and `end` are byte offsets from the start of the file. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: WeightDtype;
  readonly shape: readonly number[];
  readonly begin: number;
  readonly end: number;
}

export interface SafetensorsHeader {
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** Names of well-formed tensors with a dtype that our files never hold, such as I64. */
  readonly foreign: ReadonlyMap<string, string>;
  readonly metadata: Readonly<Record<string, string>>;
  /** 8 + the JSON's length: where the data begins. */
  readonly headerBytes: number;
  readonly fileBytes: number;
}

/** A header as far as it can be read; `header` is null where nothing of it can. */
export interface ScannedHeader {
  readonly header: SafetensorsHeader | null;
  readonly problems: readonly FormatProblem[];
}

const LENGTH_BYTES = 8;

/** How many bytes of the file to read for `readHeader`: 8 and the length of the JSON, which they hold. */
export function headerLength(first8: Uint8Array, fileBytes: number): Result<number, FormatProblem[]> {
  if (first8.byteLength < LENGTH_BYTES || fileBytes < LENGTH_BYTES) {
    return fail([container('', `expected a header length of 8 bytes, found a file of ${fileBytes} bytes`)]);
  }
  const json = new DataView(first8.buffer, first8.byteOffset).getBigUint64(0, true);
  if (json > BigInt(HEADER_MAX_BYTES)) {
    return fail([container('', `expected a header of at most ${HEADER_MAX_BYTES} bytes, found ${json}`)]);
  }
  const total = LENGTH_BYTES + Number(json);
  if (total > fileBytes) {
    return fail([container('', `expected a header inside the file of ${fileBytes} bytes, found it ends at ${total}`)]);
  }
  return ok(total);
}

/**
 * Reads the header of a file of `fileBytes` bytes from its first bytes. Pure, throws nothing, and allocates by the
 * bytes given alone, never by a number in them. An error holds `container` problems.
 */
export function readHeader(headerBytes: Uint8Array, fileBytes: number): Result<SafetensorsHeader, FormatProblem[]> {
  const { header, problems } = scanHeader(headerBytes, fileBytes);
  return header !== null && problems.length === 0 ? ok(header) : fail(boundProblems(problems));
}

/** As `readHeader`, with what could be read beside the problems, so that further rules can add theirs. */
export function scanHeader(headerBytes: Uint8Array, fileBytes: number): ScannedHeader {
  const length = headerLength(headerBytes.subarray(0, LENGTH_BYTES), fileBytes);
  if (!length.ok) return { header: null, problems: length.error };
  if (headerBytes.byteLength < length.value) {
    return unreadable(`expected ${length.value} bytes of header, found ${headerBytes.byteLength}`);
  }
  const text = decodeUtf8(headerBytes.subarray(LENGTH_BYTES, length.value));
  if (text === null) return unreadable('expected a header in UTF-8');
  const json = parseStrictJson(text);
  if (!json.ok) return { header: null, problems: [container(json.error.path, json.error.message)] };
  if (!isRecord(json.value)) return unreadable('expected a header that is an object');
  return readEntries(json.value, length.value, fileBytes);
}

function readEntries(json: Readonly<Record<string, unknown>>, headerBytes: number, fileBytes: number): ScannedHeader {
  const entries = Object.entries(json).filter(([name]) => name !== '__metadata__');
  if (entries.length > TENSORS_MAX) {
    return unreadable(`expected at most ${TENSORS_MAX} tensors, found ${entries.length}`);
  }
  const problems: FormatProblem[] = [];
  const tensors = new Map<string, TensorInfo>();
  const foreign = new Map<string, string>();
  const spans: Span[] = [];
  for (const [name, value] of entries) {
    const entry = readEntry(name, value, fileBytes - headerBytes);
    if (!entry.ok) {
      problems.push(entry.error);
      continue;
    }
    const { dtype, shape, span } = entry.value;
    spans.push(span);
    if (isWeightDtype(dtype)) {
      tensors.set(name, { name, dtype, shape, begin: headerBytes + span.begin, end: headerBytes + span.end });
    } else {
      foreign.set(name, dtype);
    }
  }
  const metadata = readMetadata(json['__metadata__'], problems);
  problems.push(...layoutProblems(spans, fileBytes - headerBytes, spans.length === entries.length));
  return { header: { tensors, foreign, metadata, headerBytes, fileBytes }, problems };
}

/** A tensor's bytes, from the start of the data. */
interface Span {
  readonly name: string;
  readonly begin: number;
  readonly end: number;
}

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly span: Span;
}

function readEntry(name: string, value: unknown, dataBytes: number): Result<Entry, FormatProblem> {
  if (!isRecord(value)) {
    return fail(container(name, `expected an object with dtype, shape and data_offsets, found ${preview(value)}`));
  }
  const { dtype, shape, data_offsets: offsets } = value;
  const bits = typeof dtype === 'string' ? dtypeBits(dtype) : undefined;
  if (typeof dtype !== 'string' || bits === undefined) {
    return fail(container(name, `expected a dtype of safetensors, found ${preview(dtype)}`));
  }
  if (!isCounts(shape)) {
    return fail(container(name, `expected a shape of whole numbers from 0, found ${preview(shape)}`));
  }
  const items = product(shape);
  if (items === null || !Number.isSafeInteger(items * bits)) {
    return fail(container(name, `expected a shape that does not overflow, found ${preview(shape)}`));
  }
  if (!isCounts(offsets) || offsets.length !== 2) {
    return fail(container(name, `expected data_offsets of two whole numbers from 0, found ${preview(offsets)}`));
  }
  const [begin = 0, end = 0] = offsets;
  if (begin > end || end > dataBytes) {
    return fail(container(name, `expected a span inside the ${dataBytes} bytes of data, found ${begin} to ${end}`));
  }
  if ((end - begin) * 8 !== items * bits) {
    const expected = `expected ${(items * bits) / 8} bytes for ${dtype} ${preview(shape)}`;
    return fail(container(name, `${expected}, found ${end - begin}`));
  }
  return ok({ dtype, shape, span: { name, begin, end } });
}

/** Spans must follow each other without hole or overlap and fill the data; holes are told only where all are known. */
function layoutProblems(spans: readonly Span[], dataBytes: number, complete: boolean): FormatProblem[] {
  const problems: FormatProblem[] = [];
  let filled = 0;
  for (const { name, begin, end } of spans.toSorted((a, b) => a.begin - b.begin || a.end - b.end)) {
    if (begin < filled) problems.push(container(name, `overlaps what ends at ${filled}: it begins at ${begin}`));
    if (begin > filled && complete) problems.push(container(name, `a hole before it, from ${filled} to ${begin}`));
    filled = Math.max(filled, end);
  }
  if (filled < dataBytes && complete) {
    problems.push(container('', `expected the data to end at ${filled}, found ${dataBytes - filled} bytes left over`));
  }
  return problems;
}

function readMetadata(value: unknown, problems: FormatProblem[]): Record<string, string> {
  if (value === undefined || value === null) return {};
  if (!isRecord(value)) {
    problems.push(container('__metadata__', `expected an object of strings, found ${preview(value)}`));
    return {};
  }
  const strings: [string, string][] = [];
  for (const [key, entry] of Object.entries(value)) {
    if (typeof entry === 'string') strings.push([key, entry]);
    else problems.push(container(`__metadata__.${key}`, `expected a string, found ${preview(entry)}`));
  }
  return Object.fromEntries(strings);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0 && !Object.is(item, -0));
}

function product(shape: readonly number[]): number | null {
  let items = 1;
  for (const side of shape) {
    items *= side;
    if (!Number.isSafeInteger(items)) return null;
  }
  return items;
}

function decodeUtf8(bytes: Uint8Array): string | null {
  try {
    // A byte order mark stays in the text, where JSON refuses it as the safetensors library does.
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return null;
  }
}

function container(path: string, message: string): FormatProblem {
  return problem('container', path, message);
}

function unreadable(message: string): ScannedHeader {
  return { header: null, problems: [container('', message)] };
}
