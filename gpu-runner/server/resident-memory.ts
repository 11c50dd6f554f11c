import { readFileSync } from 'node:fs';

const KIBIBYTE = 1024;

/** Bytes that a process holds in memory; null where the system does not tell (Linux alone does) or it is gone. */
export function residentBytes(pid: number): number | null {
  try {
    const [, kibibytes] = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
    return kibibytes === undefined ? null : Number(kibibytes) * KIBIBYTE;
  } catch {
    return null;
  }
}
