#!/usr/bin/env node
import { Command } from 'commander';
import { addAdapter } from './commands/adapter.ts';
import { addAudit } from './commands/audit.ts';
import { addBase } from './commands/base.ts';
import { addCompare } from './commands/compare.ts';
import { addDemo } from './commands/demo.ts';
import { addDicomSeg } from './commands/dicom-seg.ts';
import { addJob } from './commands/job.ts';
import { addKey } from './commands/key.ts';
import { addPhantom } from './commands/phantom.ts';
import { addSegment } from './commands/segment.ts';
import { addTenant } from './commands/tenant.ts';
import { describeFailure, usageLine } from './failure.ts';
import { handleInterrupts, whenInterrupted } from './interrupt.ts';
import { removeUnfinished } from './output.ts';

const program = new Command('pdora')
  .description('One shared SwinUNETR, one small PDoRA adapter a task, named in a request')
  .exitOverride()
  .configureOutput({ outputError: (text, write) => write(`${usageLine(text)}\n`) });
for (const add of [
  addSegment,
  addJob,
  addCompare,
  addDicomSeg,
  addAdapter,
  addBase,
  addTenant,
  addKey,
  addAudit,
  addDemo,
  addPhantom,
])
  add(program);

handleInterrupts();
whenInterrupted(removeUnfinished);

try {
  await program.parseAsync();
} catch (error) {
  const { line, exitStatus } = describeFailure(error);
  if (line !== undefined) process.stderr.write(`${line}\n`);
  process.exitCode = exitStatus;
}
