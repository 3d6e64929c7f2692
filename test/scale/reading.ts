import { readdirSync, readFileSync, readlinkSync } from 'node:fs';

/** What a process has used up to a moment, from /proc. */
export interface Reading {
  readonly seconds: number;
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
  /** Calls that read, and what they brought: from sockets, for the most part. */
  readonly reads: number;
  readonly bytesRead: number;
  readonly sockets: number;
  readonly residentMib: number;
}

const TICKS_A_SECOND = 100;
const KIB_IN_MIB = 1024;
/** Behind the name of the program, which may have spaces: utime and stime are the 12th and 13th field. */
const USER_TIME = 11;
const SYSTEM_TIME = 12;

export function readProcess(pid: number): Reading {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return {
    seconds: performance.now() / 1000,
    cpuSeconds: (Number(fields[USER_TIME]) + Number(fields[SYSTEM_TIME])) / TICKS_A_SECOND,
    reads: field(pid, 'io', 'syscr'),
    bytesRead: field(pid, 'io', 'rchar'),
    sockets: sockets(pid),
    residentMib: field(pid, 'status', 'VmRSS') / KIB_IN_MIB,
  };
}

function field(pid: number, file: 'io' | 'status', name: string): number {
  return Number(new RegExp(`${name}:\\s+(\\d+)`).exec(readFileSync(`/proc/${pid}/${file}`, 'utf8'))?.[1]);
}

function sockets(pid: number): number {
  const folder = `/proc/${pid}/fd`;
  const isSocket = (name: string) => {
    try {
      return readlinkSync(`${folder}/${name}`).startsWith('socket:');
    } catch {
      return false; // closed meanwhile
    }
  };
  return readdirSync(folder).filter(isSocket).length;
}
