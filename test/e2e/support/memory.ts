import { readdirSync, readFileSync } from 'node:fs';

/** A process of this machine (Linux's `/proc`), and the megabytes it has and had at most. */
export interface ProcessMemory {
  readonly pid: number;
  readonly parent: number;
  readonly name: string;
  readonly residentMiB: number;
  readonly peakMiB: number;
}

/** A process and all that it started, with what those started in turn. */
export function processTree(root: number): ProcessMemory[] {
  const all = readdirSync('/proc').flatMap((name) => (/^[0-9]+$/.test(name) ? processMemory(name) : []));
  const tree = all.filter(({ pid }) => pid === root);
  for (const { pid } of tree) tree.push(...all.filter(({ parent }) => parent === pid));
  return tree;
}

/** Nothing for a process that has ended. */
function processMemory(pid: string): ProcessMemory[] {
  const status = statusOf(pid);
  const field = (name: string) => new RegExp(`^${name}:\\s+(.+)$`, 'm').exec(status)?.[1] ?? '';
  const mebibytes = (name: string) => Number.parseInt(field(name), 10) / 1024;
  if (field('VmRSS') === '') return [];
  const [parent, name] = [Number(field('PPid')), field('Name')];
  return [{ pid: Number(pid), parent, name, residentMiB: mebibytes('VmRSS'), peakMiB: mebibytes('VmHWM') }];
}

function statusOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}
