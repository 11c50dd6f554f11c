/** R2's codes for what is wrong with a call: a thing is not there, or a body or a name is not what it was said to be. */
const FAULTS: ReadonlySet<string> = new Set([
  '10007',
  '10011',
  '10012',
  '10014',
  '10020',
  '10022',
  '10024',
  '10025',
  '10029',
  '10031',
  '10037',
  '10039',
  '100100',
]);

export const NO_SUCH_UPLOAD = '10024';
export const INVALID_PART = '10025';

/** R2 ends what it says with its code in brackets. */
export function r2Code(error: unknown): string | undefined {
  return error instanceof Error ? /\((10[0-9]{3,4})\)\s*$/.exec(error.message)?.[1] : undefined;
}

export function isR2Fault(error: Error): boolean {
  return FAULTS.has(r2Code(error) ?? '');
}
