/**
 * Free loopback ports for servers that want their port as a setting.
 *
 * Ports are below the system's range for outgoing connections, so that no client can hold the port of a broker that a
 * test has killed and is about to start again.
 */
import { mkdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import path from 'node:path';
import { RUN, takeLock } from './cache.ts';

const FIRST = 15_000;
const claims = path.join(RUN, 'ports');

/** A free port on 127.0.0.1, claimed for this process until it ends. */
export async function freePort(): Promise<number> {
  mkdirSync(claims, { recursive: true });
  const end = ephemeralStart();
  for (let attempt = 0; attempt < 500; attempt++) {
    const port = FIRST + Math.floor(Math.random() * (end - FIRST));
    if ((await canListen(port)) && takeLock(path.join(claims, String(port)))) return port;
  }
  throw new Error(`no free port between ${FIRST} and ${end} on 127.0.0.1: end servers of earlier test runs`);
}

/** `count` different free ports. */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}

function ephemeralStart(): number {
  try {
    const range = readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'utf8');
    const start = Number(range.split(/\s+/)[0]);
    if (start > FIRST + 1000) return start;
  } catch {
    // Not Linux: the range that the IANA suggests begins at 49152, Linux' default is the lower one.
  }
  return 32_768;
}

function canListen(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '127.0.0.1', exclusive: true }, () => server.close(() => resolve(true)));
  });
}
