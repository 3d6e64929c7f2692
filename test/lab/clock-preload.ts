/**
 * Preloaded into a process (`node --import`): shifts `Date` by the milliseconds in the file that PENSTOCK_TEST_CLOCK
 * names, from the moment the file changes. Timers and `performance.now` are left alone: in a real process, too, they do
 * not follow the system's time. See clock.ts.
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
