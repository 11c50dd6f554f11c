import { expect, test } from 'vitest';
import { parseTraceparent, traceparentOf } from '../../schemas/trace.ts';

/** The examples of https://www.w3.org/TR/trace-context/#examples-of-http-traceparent-headers. */
const VALID = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a valid header is read and written as it was', () => {
  const read = parseTraceparent(VALID);
  expect(read).toEqual({
    traceId: '4bf92f3577b34da6a3ce929d0e0e4736',
    parentId: '00f067aa0ba902b7',
    flags: '01',
  });
  expect(read && traceparentOf(read)).toBe(VALID);
});

test('a later version is read as far as this one goes', () => {
  const later = parseTraceparent(VALID.replace('00-', 'cc-').concat('-what-the-future-will-be-like'));
  expect(later && traceparentOf(later)).toBe(VALID);
});

test.each([
  ['absent', null],
  ['of version ff', VALID.replace('00-', 'ff-')],
  ['longer than its version', `${VALID}-more`],
  ['of a trace of zeros', VALID.replace('4bf92f3577b34da6a3ce929d0e0e4736', '0'.repeat(32))],
  ['of a parent of zeros', VALID.replace('00f067aa0ba902b7', '0'.repeat(16))],
  ['in capitals', VALID.toUpperCase()],
  ['too short', VALID.slice(0, -1)],
  ['two in one', `${VALID},${VALID}`],
])('a header that is %s is none', (_, header) => {
  expect(parseTraceparent(header)).toBeNull();
});
