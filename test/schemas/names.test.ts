import { describe, expect, it } from 'vitest';
import { isAliasName, parseRef } from '../../schemas/names.ts';

const DIGEST = `sha256:${'a1'.repeat(32)}`;

describe('a reference to an adapter', () => {
  it.each([
    ['hippocampus', { kind: 'name', name: 'hippocampus', selector: { kind: 'latest' } }],
    ['hippocampus@latest', { kind: 'name', name: 'hippocampus', selector: { kind: 'latest' } }],
    ['hippocampus@3', { kind: 'name', name: 'hippocampus', selector: { kind: 'version', version: 3 } }],
    ['hippocampus@v3', { kind: 'name', name: 'hippocampus', selector: { kind: 'alias', alias: 'v3' } }],
    ['hippocampus@1.0-rc', { kind: 'name', name: 'hippocampus', selector: { kind: 'alias', alias: '1.0-rc' } }],
    ['a@1e3', { kind: 'name', name: 'a', selector: { kind: 'alias', alias: '1e3' } }],
    ['clinic/liver', { kind: 'name', tenant: 'clinic', name: 'liver', selector: { kind: 'latest' } }],
    ['clinic/liver@12', { kind: 'name', tenant: 'clinic', name: 'liver', selector: { kind: 'version', version: 12 } }],
    ['clinic/7', { kind: 'name', tenant: 'clinic', name: '7', selector: { kind: 'latest' } }],
    [DIGEST, { kind: 'digest', digest: DIGEST }],
    ['__base__', { kind: 'base' }],
  ])('is read: %s', (ref, expected) => {
    expect(parseRef(ref)).toEqual({ ok: true, value: expected });
  });

  it.each([
    '',
    '@',
    'Upper',
    'a b',
    'a@',
    'a@0',
    'a@03',
    'a@1.0',
    'a@-1',
    'a@99999999999999999999',
    'a@V',
    'a@b@c',
    'a/b/c',
    '/a',
    'a/',
    '../a',
    'a\n',
    'sha256:abc',
    DIGEST.toUpperCase(),
    `${DIGEST}0`,
    '__base__@1',
    'x'.repeat(65),
    `a@${'x'.repeat(65)}`,
  ])('is refused: %j', (ref) => {
    expect(parseRef(ref).ok).toBe(false);
  });
});

describe('the name of an alias', () => {
  it('holds a letter and is not latest', () => {
    expect(['stable', 'v2', '2b'].every(isAliasName)).toBe(true);
    expect(['2', '2.0', 'latest', '', '-a', 'A'].some(isAliasName)).toBe(false);
  });
});
