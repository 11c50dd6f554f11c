import { CliError } from '../failure.ts';

/** What a source asks for and this format cannot say, with the way out where there is one. */
export function refused(message: string): CliError {
  return new CliError('not_importable', message);
}
