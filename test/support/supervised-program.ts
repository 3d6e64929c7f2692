/**
 * A program for tests of the supervisor. The text `do` of its configuration says how it behaves:
 *
 * - `count`: each report adds one to `things_total`
 * - `unable`: it reports that it is unable to go on, and ends
 * - `deaf`: it ignores the order to stop
 *
 * The text `<what> by` names the process that, at `prepare`, refuses the texts (`refused`), is slow (`slow`), hangs for
 * good (`hangs`) or dies (`dies`), or, at `commit`, hangs (`stuck`).
 */
import { Counter, Registry } from 'prom-client';
import { SupervisorLink } from '../../src/services/supervisor/link.ts';

const link = new SupervisorLink(process);
const registry = new Registry();
const things = new Counter({ name: 'things_total', help: 'Things.', registers: [registry] });
const own = new Counter({ name: 'process_own_total', help: 'Own.', registers: [registry] });
let texts = await link.configuration;

if (texts['do'] === 'unable') {
  await link.unable('the topic is missing', false);
  process.exit(1);
}
link.serve({
  report: async () => {
    things.inc();
    own.inc();
    return {
      running: true,
      readiness: { ready: true },
      status: { rule: texts['rule'] },
      metrics: await registry.getMetricsAsJSON(),
    };
  },
  prepare: async (next) => {
    const is = (what: string) => next[`${what} by`] === process.argv[2];
    if (is('refused')) throw new Error(`process ${process.argv[2]} does not like it`);
    if (is('dies')) process.exit(3);
    if (is('hangs')) hang();
    if (is('slow')) await new Promise((resolve) => setTimeout(resolve, 3_000));
    return {
      commit: () => {
        if (is('stuck')) hang();
        texts = next;
      },
      discard: () => undefined,
    };
  },
});

/** Goes silent, like a process that was stopped (SIGSTOP). */
function hang(): never {
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

const keepAlive = setInterval(() => undefined, 1_000);
await link.stop;
if (texts['do'] !== 'deaf') {
  clearInterval(keepAlive);
  await link.close();
  process.disconnect();
}
