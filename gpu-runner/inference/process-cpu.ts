import { readFileSync } from 'node:fs';

/** Of the fields after the command's name, which may hold anything: proc_pid_stat(5), 14 and 15 of all. */
const [USER, SYSTEM] = [11, 12] as const;

/** Processor time that a process has used, in clock ticks; null where the system does not tell (Linux alone does) or it is gone. */
export function cpuTime(pid: number): number | null {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
    return Number(fields[USER]) + Number(fields[SYSTEM]);
  } catch {
    return null;
  }
}
