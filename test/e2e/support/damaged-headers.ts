import { z } from 'zod';
import { mixed } from '../../support/mixed.ts';
import { writeContainer } from '../../support/safetensors-file.ts';
import { choose, type DamagedFile, flipBit, headerOf, splitFile } from './damaged-file.ts';

/** Files of whose damage the header, or the want of one, tells: none of them gets past the edge. */

const METADATA = '__metadata__';
const headerSchema = z.record(z.string(), z.unknown());
const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.number()),
  data_offsets: z.tuple([z.number(), z.number()]),
});

type Entry = z.infer<typeof entrySchema>;

function refused(kind: string, bytes: Uint8Array): DamagedFile {
  return { kind, bytes, fate: { by: 'edge' } };
}

/** The file ends anywhere. */
export function truncated(file: Uint8Array, count: number): DamagedFile[] {
  return Array.from({ length: count }, (_, n) => {
    // Every other one inside the header.
    const length = choose(1000 + n, n % 2 === 0 ? headerOf(file).headerBytes : file.byteLength);
    return refused(`cut to ${length} bytes`, file.slice(0, length));
  });
}

/** One bit anywhere in the header's length or in what it says about tensors: the text of a manifest has no checksum. */
export function flippedInHeader(file: Uint8Array, count: number): DamagedFile[] {
  const { headerBytes } = headerOf(file);
  const { json } = splitFile(file);
  const end = json.indexOf('},"swin');
  const metadataBytes = 8 + new TextEncoder().encode(json.slice(0, end + 2)).byteLength;
  return Array.from({ length: count }, (_, n) => {
    const at = choose(2000 + n, 8 + headerBytes - metadataBytes);
    const [byte, bit] = [at < 8 ? at : metadataBytes + at - 8, n % 8];
    return refused(`bit ${bit} of byte ${byte} flipped`, flipBit(file, byte, bit));
  });
}

type Lie = (entry: Entry) => Partial<Record<keyof Entry, unknown>>;

const LIES: readonly [string, Lie][] = [
  ...[[-1], [0], [1e308], [2 ** 53], [2 ** 32, 2 ** 32], [1.5], ['3'], [[3]], [true], null, {}, 'x', 3].map(
    (shape): [string, Lie] => [`shape ${JSON.stringify(shape)}`, () => ({ shape })],
  ),
  ['a side more', ({ shape }) => ({ shape: [...shape, 2] })],
  ['a side of 1 more', ({ shape }) => ({ shape: [1, ...shape] })],
  ['a larger side', ({ shape }) => ({ shape: [...shape.slice(0, -1), (shape.at(-1) ?? 0) + 1] })],
  ...['F16', 'F64', 'I32', 'BOOL', 'f32', 'F33', '', null, 32].map((dtype): [string, Lie] => [
    `dtype ${JSON.stringify(dtype)}`,
    () => ({ dtype }),
  ]),
  ...[null, [], [0], 'x', { 0: 0 }, [-4, 0], [0, 2 ** 53], [0, 1e300], ['0', '4']].map(
    (data_offsets): [string, Lie] => [`span ${JSON.stringify(data_offsets)}`, () => ({ data_offsets })],
  ),
  ['an empty span', ({ data_offsets: [begin] }) => ({ data_offsets: [begin, begin] })],
  ['a span backwards', ({ data_offsets: [begin, end] }) => ({ data_offsets: [end, begin] })],
  ['a span moved', ({ data_offsets: [begin, end] }) => ({ data_offsets: [begin + 4, end + 4] })],
  ['a longer span', ({ data_offsets: [begin, end] }) => ({ data_offsets: [begin, end + 4] })],
];

/** Every lie about every fourth tensor, and tensors that are missing, misnamed or too many. */
export function lying(file: Uint8Array): DamagedFile[] {
  const { json, data } = splitFile(file);
  const header = headerSchema.parse(JSON.parse(json));
  const names = Object.keys(header).filter((name) => name !== METADATA);
  const write = (kind: string, entries: readonly [string, unknown][]) =>
    refused(kind, writeContainer(JSON.stringify(Object.fromEntries(entries)), [data]));
  const lies = names
    .filter((_, n) => n % 4 === 0)
    .flatMap((name) => {
      const entry = entrySchema.parse(header[name]);
      const told = (lie: Lie) => Object.entries({ ...header, [name]: { ...entry, ...lie(entry) } });
      return LIES.map(([kind, lie]) => write(`${name}: ${kind}`, told(lie)));
    });
  const others = names.flatMap((name) => {
    const rest = Object.entries(header).filter(([key]) => key !== name);
    return [
      write(`${name} missing`, rest),
      write(`${name} misnamed`, [...rest, [`${name}0`, header[name]]]),
      write(`${name} null`, [...rest, [name, null]]),
    ];
  });
  const empty = { dtype: 'F32', shape: [0], data_offsets: [data.byteLength, data.byteLength] };
  const more = ['__proto__', 'constructor', '', '../../x', '\0', `${names[0]}::up`, 'out.conv.conv.weight'].map(
    (name) => write(`${JSON.stringify(name)} too many`, [...Object.entries(header), [name, empty]]),
  );
  return [...lies, ...others, ...more];
}

/** A key twice, in the header or in the manifest inside it, once with an escape in its name. */
export function doubled(file: Uint8Array): DamagedFile[] {
  const { json, data } = splitFile(file);
  const header = headerSchema.parse(JSON.parse(json));
  const metadata = z.record(z.string(), z.string()).parse(header[METADATA]);
  const text = metadata['manifest'] ?? '';
  const inHeader = Object.entries(header).map(([key, value]): [string, string] => [key, twice(json, key, value)]);
  const inMetadata = Object.entries(metadata).map(([key, value]): [string, string] => [
    `metadata ${key}`,
    json.replace(`"${METADATA}":{`, (found) => `${found}${JSON.stringify(key)}:${JSON.stringify(value)},`),
  ]);
  const manifests = Object.entries(headerSchema.parse(JSON.parse(text))).map(([key, value]) => twice(text, key, value));
  manifests.push(text.replace('"rank":', '"rank":1,"rank":'), text.replace('"name":', '"n\\u0061me":"x","name":'));
  const inManifest = manifests.map((manifest): [string, string] => [
    'manifest',
    JSON.stringify({ ...header, [METADATA]: { ...metadata, manifest } }),
  ]);
  return [...inHeader, ...inMetadata, ...inManifest].map(([where, damaged]) =>
    refused(`a key twice: ${where}`, writeContainer(damaged, [data])),
  );
}

/** Headers that promise, hold or nest far too much. */
export function huge(file: Uint8Array): DamagedFile[] {
  const lengths = [0n, 1n, BigInt(file.byteLength), BigInt(file.byteLength - 7), 2n ** 20n + 1n];
  for (let power = 24n; power < 64n; power++) lengths.push(2n ** power, 2n ** power - 1n);
  const promising = lengths.map((length) => {
    const bytes = file.slice();
    new DataView(bytes.buffer).setBigUint64(0, length, true);
    return refused(`a header of ${length} bytes`, bytes);
  });
  const empty = { dtype: 'F32', shape: [0], data_offsets: [0, 0] };
  const many = Object.fromEntries(Array.from({ length: 5000 }, (_, n) => [`t${n}`, empty]));
  const texts: [string, string][] = [
    ['spaces', `{}${' '.repeat(2 ** 20 - 8)}`],
    ['a long name', JSON.stringify({ [METADATA]: {}, ['x'.repeat(1_000_000)]: empty })],
    ['5000 tensors', JSON.stringify(many)],
    ['a deep list', `{"a":${'['.repeat(400_000)}`],
    ['a deep list that ends', `{"a":${'['.repeat(400_000)}${']'.repeat(400_000)}}`],
    ['deep objects', '{"a":'.repeat(150_000)],
    ['a long number', `{"a":${'9'.repeat(1_000_000)}}`],
    [
      'digits of a manifest',
      JSON.stringify({ [METADATA]: { format: 'pdora-adapter', format_version: '1', manifest: '9'.repeat(1_000_000) } }),
    ],
  ];
  return [...promising, ...texts.map(([kind, text]) => refused(`a header of ${kind}`, writeContainer(text)))];
}

function twice(object: string, key: string, value: unknown): string {
  return object.replace('{', () => `{${JSON.stringify(key)}:${JSON.stringify(value)},`);
}

/** Bytes of no kind, some behind the length of a header that would fit. */
export function random(count: number): DamagedFile[] {
  return Array.from({ length: count }, (_, n) => {
    const length = choose(3000 + n, 40_000);
    const bytes = Uint8Array.from({ length }, (_byte, i) => 255 * Math.abs(mixed(n * 40_000 + i)));
    if (n % 2 === 0 && length > 8) new DataView(bytes.buffer).setBigUint64(0, BigInt(choose(n, length - 8)), true);
    return refused(`${length} random bytes`, bytes);
  });
}
