import { z } from 'zod';
import { HEADER_MAX_BYTES } from '../../../schemas/limits.ts';
import { NAME_PATTERN } from '../../../schemas/names.ts';

const METADATA = '__metadata__';
const headerSchema = z.object({ [METADATA]: z.object({ manifest: z.string() }) });
const manifestSchema = z.object({ name: z.string() });

/** The name to propose for an adapter file: that of its manifest, else that of the file; empty where neither is a name. */
export async function proposedName(file: File): Promise<string> {
  const candidates = [await manifestName(file), file.name.replace(/\.safetensors$/i, '')];
  const name = candidates
    .map((text) => text.toLowerCase().replace(/[^a-z0-9._-]+/g, '-'))
    .find((text) => NAME_PATTERN.test(text));
  return name ?? '';
}

async function manifestName(file: File): Promise<string> {
  try {
    const length = Number(new DataView(await file.slice(0, 8).arrayBuffer()).getBigUint64(0, true));
    if (length > HEADER_MAX_BYTES) return '';
    const header = headerSchema.parse(JSON.parse(await file.slice(8, 8 + length).text()));
    return manifestSchema.parse(JSON.parse(header[METADATA].manifest)).name;
  } catch {
    // The service says better what is wrong with it.
    return '';
  }
}
