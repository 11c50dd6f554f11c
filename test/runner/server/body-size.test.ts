import { describe, expect, it } from 'vitest';
import { bodySize } from '../../../gpu-runner/server/body-size.ts';
import { ServiceError } from '../../../schemas/errors.ts';

const MULTIPART = 'multipart/form-data; boundary=b';
const PLENTY = 2 ** 36;

const sizeOf = (length: number, type = 'application/octet-stream', memory = PLENTY) =>
  bodySize({ 'content-length': String(length), 'content-type': type }, memory);

function codeOf(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    if (error instanceof ServiceError) return error.code;
  }
  return 'none';
}

describe('bodySize', () => {
  it('takes a file of 512 MB, alone or as a part with what frames it', () => {
    expect(sizeOf(512_000_000)).toEqual({ multipart: false, length: 512_000_000, heldBytes: 512_000_000 });
    expect(sizeOf(512_000_300, MULTIPART)).toMatchObject({ multipart: true, length: 512_000_300 });
  });

  it.each([
    [512_000_001, 'application/octet-stream', PLENTY],
    [513_000_000, MULTIPART, PLENTY],
    [1001, 'application/octet-stream', 1000],
    [501, MULTIPART, 1000],
  ])('refuses %i bytes of %s where there are %i of memory', (length, type, memory) => {
    expect(codeOf(() => sizeOf(length, type, memory))).toBe('too_large');
  });

  it('takes what just fits the memory', () => {
    expect(sizeOf(1000, 'application/octet-stream', 1000).heldBytes).toBe(1000);
    expect(sizeOf(500, MULTIPART, 1000).heldBytes).toBe(1000);
  });

  it('needs a length', () => {
    expect(codeOf(() => bodySize({}, PLENTY))).toBe('length_required');
  });
});
