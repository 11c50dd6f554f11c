import { Problem } from '../api/problem.ts';

export function isGzip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x1f && bytes[1] === 0x8b;
}

/** Throws `invalid_volume` where the data or its checksum is damaged. */
export async function gunzip(file: Blob): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await new Response(file.stream().pipeThrough(new DecompressionStream('gzip'))).arrayBuffer());
  } catch {
    throw new Problem('invalid_volume', 'The file is damaged: it does not decompress. Copy or export it again.');
  }
}

export async function gzip(bytes: Uint8Array<ArrayBuffer>): Promise<Blob> {
  return await new Response(new Blob([bytes]).stream().pipeThrough(new CompressionStream('gzip'))).blob();
}
