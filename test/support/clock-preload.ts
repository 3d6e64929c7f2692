/**
 * Preloaded into a process (`node --import`): its system's time is off by as many milliseconds as the file says that
 * PENSTOCK_TEST_CLOCK names, from the moment the file changes. What the process sees of the system's time is `Date`; timers
 * and `performance.now` go by another clock there too. See clock.ts.
 */
import { readFileSync, writeFileSync } from 'node:fs';

const LOOK_EVERY_MS = 20;

const file = process.env['PENSTOCK_TEST_CLOCK'];
if (file !== undefined) steps(file);

function steps(file: string): void {
  const System = Date;
  const systemMs = Date.now;
  let offsetMs = Number.NaN;

  const look = () => {
    const told = Number(readFileSync(file, 'utf8'));
    if (told === offsetMs) return;
    offsetMs = told;
    writeFileSync(`${file}.${process.pid}`, String(told));
  };
  look();
  setInterval(look, LOOK_EVERY_MS).unref();

  const now = () => systemMs() + offsetMs;
  Date.now = now;
  globalThis.Date = new Proxy(System, {
    apply: () => new System(now()).toString(),
    construct: (target, args, newTarget) =>
      Reflect.construct(target, args.length === 0 ? [now()] : args, newTarget),
  });
}
