import { describe, expect, it } from 'vitest';
import { HEADER_MAX_BYTES, TENSORS_MAX } from '../../schemas/limits.ts';
import { headerLength, readHeader } from '../../schemas/safetensors.ts';
import { need } from '../support/faults.ts';
import { type FileTensor, randomNumbers, writeContainer, writeSafetensors } from '../support/safetensors-file.ts';

const f32 = (name: string, length: number): FileTensor => ({
  name,
  dtype: 'F32',
  shape: [length],
  data: randomNumbers(1, length),
});

const entry = (dtype: string, shape: unknown, begin: number, end: number) =>
  JSON.stringify({ dtype, shape, data_offsets: [begin, end] });

const ONE = entry('F32', [1], 0, 4);

const emptyTensors = (count: number) => Array.from({ length: count }, (_, i) => `"${i}":${entry('F32', [0], 0, 0)}`);

/** The problems of a header text followed by `dataBytes` zero bytes, as `path: message`. */
function problemsOf(headerText: string, dataBytes = 4): string[] {
  const file = writeContainer(headerText, [new Uint8Array(dataBytes)]);
  const header = readHeader(file, file.byteLength);
  if (header.ok) return [];
  expect(header.error.every((found) => found.code === 'container')).toBe(true);
  return header.error.map((found) => `${found.path}: ${found.message}`);
}

describe('a well-formed container', () => {
  it('gives names, dtypes, shapes, absolute byte offsets and metadata', () => {
    const file = writeSafetensors(
      [
        f32('a', 3),
        { name: 'b', dtype: 'F16', shape: [2, 1], data: new Uint8Array(4) },
        { name: 'c', dtype: 'BF16', shape: [], data: new Uint8Array(2) },
      ],
      { format: 'pt' },
    );
    const header = need(readHeader(file, file.byteLength));
    const { tensors, metadata, headerBytes, foreign, fileBytes } = header;
    expect(headerBytes).toBe(file.byteLength - 18);
    expect(fileBytes).toBe(file.byteLength);
    expect([...tensors.values()]).toEqual([
      { name: 'a', dtype: 'F32', shape: [3], begin: headerBytes, end: headerBytes + 12 },
      { name: 'b', dtype: 'F16', shape: [2, 1], begin: headerBytes + 12, end: headerBytes + 16 },
      { name: 'c', dtype: 'BF16', shape: [], begin: headerBytes + 16, end: headerBytes + 18 },
    ]);
    expect(metadata).toEqual({ format: 'pt' });
    expect(foreign.size).toBe(0);
  });

  it('needs no more of the file than its header', () => {
    const file = writeSafetensors([f32('a', 1000)]);
    const length = need(headerLength(file.subarray(0, 8), file.byteLength));
    expect(length).toBe(file.byteLength - 4000);
    expect(readHeader(file.subarray(0, length), file.byteLength).ok).toBe(true);
  });

  // What the safetensors library 0.8 answers for the same files.
  it.each([
    ['no tensors', '{}', 0],
    ['trailing white space', `{"a":${ONE}} \n\t `, 4],
    ['leading white space', ` {"a":${ONE}}`, 4],
    ['a key it does not know in an entry', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}', 4],
    ['null metadata', `{"__metadata__":null,"a":${ONE}}`, 4],
    ['a tensor of no items', `{"z":${entry('F32', [0, 2 ** 53 - 1, 2 ** 53 - 1], 0, 0)}}`, 0],
    ['an escaped name', `{"\\u0061\\ud83d\\ude00":${ONE}}`, 4],
    ['entries in another order than their data', `{"b":${entry('F32', [1], 4, 8)},"a":${ONE}}`, 8],
  ])('is read with %s', (_, text, dataBytes) => {
    expect(problemsOf(text, dataBytes)).toEqual([]);
  });

  it.each([
    ['BOOL', [3], 3],
    ['F4', [2, 3], 3],
    ['F6_E2M3', [4], 3],
    ['F8_E8M0', [3], 3],
    ['I16', [3], 6],
    ['U32', [3], 12],
    ['F64', [3], 24],
    ['C64', [3], 24],
    ['I64', [3], 24],
  ])('keeps %s, which our files never hold, apart', (dtype, shape, bytes) => {
    const file = writeContainer(`{"a":${entry(dtype, shape, 0, bytes)}}`, [new Uint8Array(bytes)]);
    const header = need(readHeader(file, file.byteLength));
    expect(header.tensors.size).toBe(0);
    expect([...header.foreign]).toEqual([['a', dtype]]);
  });

  it('holds a tensor called __proto__ like any other', () => {
    const file = writeContainer(`{"__metadata__":{"__proto__":"x"},"__proto__":${ONE}}`, [new Uint8Array(4)]);
    const header = need(readHeader(file, file.byteLength));
    expect([...header.tensors.keys()]).toEqual(['__proto__']);
    expect(Object.getPrototypeOf(header.metadata)).toBe(Object.prototype);
    expect(Object.hasOwn(header.metadata, '__proto__')).toBe(true);
    expect(Object.hasOwn(Object.prototype, 'dtype')).toBe(false);
  });
});

describe('a damaged container', () => {
  it.each([
    ['text that is not JSON', '{"a":', /JSON/],
    ['an array', '[]', /an object/],
    ['a byte order mark', `\ufeff{"a":${ONE}}`, /JSON/],
    ['a zero byte after the JSON', `{"a":${ONE}}\0`, /JSON/],
    ['a tensor twice', `{"a":${ONE},"a":${ONE}}`, /^a: the key is there twice/],
    ['a tensor twice by an escape', `{"a":${ONE},"\\u0061":${ONE}}`, /^a: the key is there twice/],
    ['a metadata key twice', `{"__metadata__":{"x":"1","x":"2"}}`, /^__metadata__\.x: the key is there twice/],
    ['an unpaired surrogate', `{"\\ud800":${ONE}}`, /surrogate/],
    ['deep nesting', `{"a":${'['.repeat(200)}${']'.repeat(200)}}`, /nested deeper than 128/],
    ['metadata that is no object', `{"__metadata__":[],"a":${ONE}}`, /^__metadata__: expected an object of strings/],
    [
      'metadata that is no string',
      `{"__metadata__":{"x":1},"a":${ONE}}`,
      /^__metadata__\.x: expected a string, found 1/,
    ],
    ['an entry that is no object', '{"a":null}', /^a: expected an object/],
    ['an unknown dtype', `{"a":${entry('F31', [1], 0, 4)}}`, /^a: expected a dtype of safetensors, found "F31"/],
    ['a dtype named like a method of objects', `{"a":${entry('constructor', [1], 0, 4)}}`, /dtype of safetensors/],
    ['no dtype', '{"a":{"shape":[1],"data_offsets":[0,4]}}', /dtype of safetensors, found nothing/],
    ['no shape', '{"a":{"dtype":"F32","data_offsets":[0,4]}}', /whole numbers from 0, found nothing/],
    ['a negative shape', `{"a":${entry('F32', [-1], 0, 4)}}`, /whole numbers from 0, found \[-1\]/],
    ['a shape of minus zero', '{"a":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}', /whole numbers/],
    ['a fractional shape', `{"a":${entry('F32', [1.5], 0, 4)}}`, /whole numbers from 0, found \[1\.5\]/],
    ['a shape of text', `{"a":${entry('F32', ['1'], 0, 4)}}`, /whole numbers/],
    ['a shape beyond 2^53', '{"a":{"dtype":"F32","shape":[9007199254740993],"data_offsets":[0,4]}}', /whole numbers/],
    ['a shape that overflows', `{"a":${entry('F32', [2 ** 32, 2 ** 32], 0, 4)}}`, /does not overflow/],
    ['a shape that overflows before a zero', `{"a":${entry('F32', [2 ** 52, 2 ** 52, 0], 0, 4)}}`, /does not overflow/],
    ['a byte count that overflows', `{"a":${entry('F64', [2 ** 52], 0, 4)}}`, /does not overflow/],
    ['a span unequal to its shape', `{"a":${entry('F32', [2], 0, 4)}}`, /^a: expected 8 bytes for F32 \[2\], found 4/],
    ['half a byte', `{"a":${entry('F4', [1], 0, 1)}}`, /expected 0\.5 bytes/],
    ['offsets that run backwards', `{"a":${entry('F32', [1], 4, 0)}}`, /inside the 4 bytes of data, found 4 to 0/],
    ['offsets past the end', `{"a":${entry('F32', [2], 0, 8)}}`, /inside the 4 bytes of data, found 0 to 8/],
    ['negative offsets', `{"a":${entry('F32', [1], -4, 0)}}`, /data_offsets of two whole numbers/],
    ['three offsets', '{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,4]}}', /data_offsets of two whole numbers/],
  ])('is refused with %s', (_, text, message) => {
    const problems = problemsOf(text);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(message);
  });

  it.each([
    ['a hole before the first', `{"a":${entry('F32', [1], 4, 8)}}`, 8, ['a: a hole before it, from 0 to 4']],
    ['a hole between two', `{"a":${ONE},"b":${entry('F32', [1], 8, 12)}}`, 12, ['b: a hole before it, from 4 to 8']],
    [
      'an overlap',
      `{"a":${entry('F32', [2], 0, 8)},"b":${entry('F32', [2], 4, 12)}}`,
      12,
      ['b: overlaps what ends at 8: it begins at 4'],
    ],
    [
      'an empty tensor inside another',
      `{"a":${entry('F32', [2], 0, 8)},"z":${entry('F32', [0], 4, 4)}}`,
      8,
      ['z: overlaps what ends at 8: it begins at 4'],
    ],
    ['bytes left over', `{"a":${ONE}}`, 7, [': expected the data to end at 4, found 3 bytes left over']],
    ['data without tensors', '{}', 4, [': expected the data to end at 0, found 4 bytes left over']],
  ])('is refused with %s', (_, text, dataBytes, expected) => {
    expect(problemsOf(text, dataBytes)).toEqual(expected);
  });

  it('reports every problem that can be told apart', () => {
    const text = `{"a":${entry('X', [1], 0, 4)},"b":${entry('F32', [-1], 4, 8)},"c":${entry('F32', [1], 8, 12)},"d":${entry('F32', [1], 8, 12)}}`;
    expect(problemsOf(text, 12).map((line) => line.split(':')[0])).toEqual(['a', 'b', 'd']);
  });

  it('reports the first 100 and how many there are more', () => {
    const entries = Array.from({ length: 250 }, (_, i) => `"t${i}":null`);
    const problems = problemsOf(`{${entries.join(',')}}`, 0);
    expect(problems).toHaveLength(101);
    expect(problems.at(-1)).toBe(': and 150 more problems, from here on');
  });

  it('is refused with more than 4,096 tensors', () => {
    expect(problemsOf(`{${emptyTensors(TENSORS_MAX).join(',')}}`, 0)).toEqual([]);
    expect(problemsOf(`{${emptyTensors(TENSORS_MAX + 1).join(',')}}`, 0)).toEqual([
      ': expected at most 4096 tensors, found 4097',
    ]);
  });

  it('is refused with a header over 1 MiB by its length alone', () => {
    const first = new Uint8Array(8);
    new DataView(first.buffer).setBigUint64(0, BigInt(HEADER_MAX_BYTES), true);
    expect(headerLength(first, 2 ** 30)).toEqual({ ok: true, value: HEADER_MAX_BYTES + 8 });
    for (const length of [BigInt(HEADER_MAX_BYTES) + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
      new DataView(first.buffer).setBigUint64(0, length, true);
      expect(headerLength(first, 2 ** 40).ok).toBe(false);
    }
  });

  it('is refused with a header that ends after the file', () => {
    const file = writeContainer('{}');
    expect(headerLength(file, file.byteLength).ok).toBe(true);
    expect(headerLength(file, file.byteLength - 1).ok).toBe(false);
    expect(readHeader(file.subarray(0, 12), 12).ok).toBe(false);
  });

  it.each([0, 1, 7])('is refused where the file has %i bytes', (bytes) => {
    expect(headerLength(new Uint8Array(bytes), bytes).ok).toBe(false);
    expect(readHeader(new Uint8Array(bytes), bytes).ok).toBe(false);
  });

  it('is refused where less of the header was read than its length says', () => {
    const file = writeSafetensors([f32('a', 1)]);
    expect(readHeader(file.subarray(0, 20), file.byteLength).ok).toBe(false);
  });

  it('is refused where the header is no UTF-8', () => {
    const file = writeContainer(`{"aaaa":${ONE}}`, [new Uint8Array(4)]);
    file[10] = 0xff;
    expect(readHeader(file, file.byteLength).ok).toBe(false);
  });
});

function expectSafe(damaged: Uint8Array): void {
  const header = readHeader(damaged, damaged.byteLength);
  if (!header.ok) {
    expect(header.error.length).toBeGreaterThan(0);
    return;
  }
  let filled = header.value.headerBytes;
  for (const { begin, end } of [...header.value.tensors.values()].toSorted((a, b) => a.begin - b.begin)) {
    expect(begin).toBeGreaterThanOrEqual(filled);
    filled = end;
  }
  expect(filled).toBeLessThanOrEqual(damaged.byteLength);
}

describe('a file with any byte changed or cut', () => {
  const file = writeSafetensors(
    [f32('alpha', 3), { name: 'beta', dtype: 'F16', shape: [2, 2], data: new Uint8Array(8) }, f32('gamma', 2)],
    { format: 'pdora-adapter', manifest: '{"name":"x"}' },
  );

  it('never throws and never yields a span outside the file, whichever byte is changed', () => {
    for (let at = 0; at < file.byteLength; at++) {
      for (const change of [1, 2, 4, 8, 16, 32, 64, 128, 255]) {
        const damaged = file.slice();
        damaged[at] = (damaged[at] ?? 0) ^ change;
        expectSafe(damaged);
      }
    }
  });

  it('is refused wherever it is cut, and where bytes are added', () => {
    for (let length = 0; length < file.byteLength; length++) {
      expect(readHeader(file.subarray(0, length), length).ok).toBe(false);
    }
    expect(readHeader(file, file.byteLength + 1).ok).toBe(false);
  });

  it('never throws with several bytes replaced at random', () => {
    const choices = randomNumbers(42, 3000 * 8).map((value) => Math.abs(value));
    for (let round = 0; round < 3000; round++) {
      const damaged = file.slice();
      for (let k = 0; k < 4; k++) {
        const at = Math.floor((choices[round * 8 + 2 * k] ?? 0) * damaged.length) % damaged.length;
        damaged[at] = Math.floor((choices[round * 8 + 2 * k + 1] ?? 0) * 256);
      }
      expectSafe(damaged);
    }
  });
});
