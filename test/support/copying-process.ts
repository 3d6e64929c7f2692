/** A copying worker as a process of its own, to be killed or frozen. Started by `spawnCopyingWorker`. */
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { pino } from 'pino';
import { createRunFolder } from '../lab/cache.ts';
import { ManagedProcess } from '../lab/process.ts';
import { CopyingWorker, type CopySetup } from './copying-worker.ts';

interface ProcessSetup extends CopySetup {
  delivery?: 'at_least_once';
}

const FILE = fileURLToPath(import.meta.url);
const FREEZE = 'SIGUSR2';
/** Filler that a frozen worker writes twice, beside its copies. Two of these do not fit one request. */
export const HALF = 'x'.repeat(400_000);

export function spawnCopyingWorker(setup: ProcessSetup): ManagedProcess {
  const folder = createRunFolder('copying');
  return new ManagedProcess({
    name: 'copying worker',
    command: process.execPath,
    args: [FILE, JSON.stringify(setup)],
    logFile: path.join(folder, 'worker.log'),
  });
}

/**
 * Makes such a process stop itself (SIGSTOP) in the middle of its next transaction: the offset and one `HALF` have been
 * sent, the other, the copies and the commit have not. Resolves when it has stopped.
 */
export async function freezeInTransaction(worker: ManagedProcess): Promise<void> {
  worker.signal(FREEZE);
  await worker.waitForLog(/frozen in an open transaction/);
}

async function main(setup: ProcessSetup): Promise<void> {
  const { output, delivery } = setup;
  let freeze = false;
  process.once(FREEZE, () => {
    freeze = true;
  });
  const worker = new CopyingWorker(setup, {
    ...(delivery === undefined ? {} : { delivery }),
    log: pino({ level: 'debug' }, pino.destination({ sync: true })),
    transform: ({ records }) => {
      const copies = records.map((record) => ({ ...record, topic: output, headers: {} }));
      const [first] = copies;
      if (!freeze || first === undefined) return copies;
      freeze = false;
      const half = { ...first, value: Buffer.from(HALF) };
      return [half, freezing(half), ...copies];
    },
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
    // It ends by itself, unless an open handle keeps it alive.
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
