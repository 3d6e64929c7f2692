import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { cpuSecondsOf, memoryMib } from '../lab/process-usage.ts';

/** Usage of a process up to a moment, from /proc. */
export interface Reading {
  readonly seconds: number;
  /** User and system time of all its threads. */
  readonly cpuSeconds: number;
  /** Read calls, and the bytes they returned: mostly from sockets. */
  readonly reads: number;
  readonly bytesRead: number;
  readonly sockets: number;
  readonly residentMib: number;
}

export function readProcess(pid: number): Reading {
  const io = readFileSync(`/proc/${pid}/io`, 'utf8');
  const count = (name: string) => Number(new RegExp(`^${name}: (\\d+)$`, 'm').exec(io)?.[1]);
  return {
    seconds: performance.now() / 1000,
    cpuSeconds: cpuSecondsOf(pid),
    reads: count('syscr'),
    bytesRead: count('rchar'),
    sockets: sockets(pid),
    residentMib: memoryMib(pid, 'VmRSS'),
  };
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
