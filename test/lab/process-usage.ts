/** CPU time and memory of a process, from /proc. Throws when it has ended. */
import { readFileSync } from 'node:fs';

const KIB_IN_MIB = 1024;
const TICKS_A_SECOND = 100;
/** Indexes of fields behind the program's name, which may have spaces: state is field 0. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

/** Resident memory in MiB: the current size (VmRSS), or the peak (VmHWM). */
export function memoryMib(pid: number, which: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(new RegExp(`^${which}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? Number.NaN) / KIB_IN_MIB;
}

/** User and system time of all its threads so far, in seconds. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) / TICKS_A_SECOND;
}
