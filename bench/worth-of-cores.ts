import { HelperProcess } from '../test/lab/helper-process.ts';
import { pin } from './measured-process.ts';

const WARM_UP_MS = 200;
const MEASURE_MS = 600;

/**
 * Throughput of the first two cores together, in multiples of one of them alone: 2 if they are real cores. On a virtual
 * machine they may be two threads of one core, or the host may give the time of one to both.
 */
export async function worthOfTwoCores(): Promise<number> {
  const spinning = await Promise.all([0, 1].map(() => HelperProcess.start<string>('bench/spin.ts')));
  try {
    const [first, second] = spinning.map(([process]) => process) as [HelperProcess, HelperProcess];
    pin(first.pid, 0);
    pin(second.pid, 1);
    const speed = (process: HelperProcess, ms = MEASURE_MS) => process.ask<number>({ ms });
    await Promise.all([speed(first, WARM_UP_MS), speed(second, WARM_UP_MS)]);
    const alone = (await speed(first)) + (await speed(second));
    const [one, other] = await Promise.all([speed(first), speed(second)]);
    return (2 * (one + other)) / alone;
  } finally {
    for (const [process] of spinning) process.close();
  }
}
