/**
 * A copying worker as a process of its own, to be killed or frozen. Started by `spawnCopyingWorker`.
 *
 * With `freezeAt` it stops itself (SIGSTOP) in the middle of the transaction that copies this value: the offset
 * and the first of two halves have been sent, the second half and the commit have not.
 */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { createRunFolder } from './cache.ts';
import { CopyingWorker, type CopySetup } from './copying-worker.ts';
import { ManagedProcess } from './process.ts';

interface ProcessSetup extends CopySetup {
  freezeAt?: string;
  delivery?: 'at_least_once';
}

const FILE = fileURLToPath(import.meta.url);
/** Two of these do not go into one request. */
const HALF_BYTES = 400_000;

export function spawnCopyingWorker(setup: ProcessSetup): ManagedProcess {
  const folder = createRunFolder('copying');
  return new ManagedProcess({
    name: 'copying worker',
    command: process.execPath,
    args: [FILE, JSON.stringify(setup)],
    logFile: path.join(folder, 'worker.log'),
  });
}

async function main(setup: ProcessSetup): Promise<void> {
  const { output, freezeAt, delivery } = setup;
  const worker = new CopyingWorker(setup, {
    ...(delivery === undefined ? {} : { delivery }),
    log: pino({ level: 'debug' }, pino.destination({ sync: true })),
    transform: ({ records }) =>
      records.flatMap((record) => {
        const copy = { ...record, topic: output, headers: {} };
        if (freezeAt === undefined || String(record.value) !== freezeAt) return [copy];
        const half = { ...copy, value: Buffer.alloc(HALF_BYTES, 'x') };
        return [half, freezing(half), copy];
      }),
  });
  worker.reader.failure.catch((error) => {
    process.stdout.write(`failed: ${error}\n`);
    process.exit(1);
  });
  await worker.start();
  process.stdout.write('started\n');
  process.once('SIGTERM', async () => {
    const left = await worker.stop();
    process.stdout.write(`stopped, ${left.length} left\n`);
    // It ends by itself, unless something is left behind that keeps it.
    process.exitCode = left.length === 0 ? 0 : 1;
  });
}

/** A record that stops the process when its value is read a second time: to be written, after it was measured. */
function freezing<T extends { value: Buffer }>(record: T): T {
  let reads = 0;
  return Object.defineProperty({ ...record }, 'value', {
    enumerable: true,
    get() {
      reads += 1;
      if (reads === 2) {
        process.stdout.write('frozen in an open transaction\n');
        process.kill(process.pid, 'SIGSTOP');
      }
      return record.value;
    },
  });
}

if (process.argv[1] === FILE) await main(JSON.parse(process.argv[2]!));
