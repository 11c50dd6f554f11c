import { CommanderError, InvalidArgumentError } from 'commander';

/** A failure the user can act on: one line on stderr with its code, exit status 1 unless told otherwise. */
export class CliError extends Error {
  override readonly name = 'CliError';
  readonly code: string;
  readonly exitStatus: number;

  constructor(code: string, message: string, exitStatus = 1) {
    super(message);
    this.code = code;
    this.exitStatus = exitStatus;
  }
}

/** What a service answered in place of what was asked for. */
export class ServiceProblem extends CliError {
  readonly status: number;
  /** As its `Retry-After` says; null where it says nothing. */
  readonly retryAfterSeconds: number | null;

  constructor(code: string, message: string, status: number, retryAfterSeconds: number | null) {
    super(code, message);
    this.status = status;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Wrong usage: exit status 2. */
export function usage(message: string): CliError {
  return new CliError('usage', message, 2);
}

/** Option parser for whole numbers of `low` or more. */
export function wholeNumber(low: number, high = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < low || value > high) {
      throw new InvalidArgumentError(
        `expected a whole number from ${low}${high < Number.MAX_SAFE_INTEGER ? ` to ${high}` : ''}`,
      );
    }
    return value;
  };
}

/** The line and exit status for whatever ended a command. Usage errors were already printed by commander. */
export function describeFailure(error: unknown): { line: string | undefined; exitStatus: number } {
  if (error instanceof CommanderError) return { line: undefined, exitStatus: error.exitCode === 0 ? 0 : 2 };
  if (error instanceof CliError) return { line: oneLine(error.code, error.message), exitStatus: error.exitStatus };
  if (error instanceof Error) {
    const code = 'code' in error && typeof error.code === 'string' ? error.code : 'internal';
    return { line: oneLine(code, error.message), exitStatus: 1 };
  }
  return { line: oneLine('internal', String(error)), exitStatus: 1 };
}

/** What commander says about wrong usage, as one line of ours. */
export function usageLine(text: string): string {
  return oneLine('usage', text.replace(/^error: /, '').trim());
}

function oneLine(code: string, message: string): string {
  return `pdora: ${code}: ${message.replace(/\s*\n\s*/g, '; ')}`;
}
