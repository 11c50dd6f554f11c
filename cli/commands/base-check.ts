import type { Command } from 'commander';
import { openEngine } from '../../gpu-runner/local.ts';
import { ServiceError } from '../../schemas/errors.ts';
import { checkInputFile } from '../files.ts';
import { print } from '../print.ts';
import { spinner } from '../progress.ts';
import { invalid } from '../verdict.ts';

/** `pdora base check`: every rule of the format, the self-test included. */
export function addBaseCheck(base: Command): void {
  base
    .command('check')
    .description('check a base file: every problem with its code; exit 0 only if valid')
    .argument('<file>')
    .action(async (file: string) => {
      await checkInputFile(file);
      const checking = spinner('checking');
      try {
        const engine = await openEngine({ basePath: file });
        checking.stop();
        print(`valid base ${engine.base.digest}`);
        await engine.close();
      } catch (error) {
        checking.stop();
        if (!(error instanceof ServiceError) || error.problems === undefined) throw error;
        throw invalid('invalid_base', file, error.problems);
      }
    });
}
