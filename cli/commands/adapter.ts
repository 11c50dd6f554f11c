import type { Command } from 'commander';
import { addAdapterCatalogue } from './adapter-catalogue.ts';
import { addAdapterCheck } from './adapter-check.ts';
import { addAdapterFuse } from './adapter-fuse.ts';
import { addAdapterImport } from './adapter-import.ts';
import { addAdapterInspect } from './adapter-inspect.ts';
import { addAdapterPush } from './adapter-push.ts';
import { addAdapterSharing } from './adapter-sharing.ts';

/** `pdora adapter …`. */
export function addAdapter(program: Command): void {
  const adapter = program.command('adapter').description('adapter files, and the adapters of a service');
  addAdapterCheck(adapter);
  addAdapterInspect(adapter);
  addAdapterImport(adapter);
  addAdapterFuse(adapter);
  addAdapterPush(adapter);
  addAdapterCatalogue(adapter);
  addAdapterSharing(adapter);
}
