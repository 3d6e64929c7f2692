/**
 * A program for tests of the supervisor. The text `do` of its configuration says how it behaves:
 *
 * - `count`: each report finds one more in `things_total`
 * - `unable`: it says that it is unable to go on, and ends
 * - `deaf`: it does not stop when told to
 */
import { Counter, Registry } from 'prom-client';
import { SupervisorLink } from '../../src/supervisor/link.ts';

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
  reload: async (next) => {
    if (next['refused by'] === process.argv[2]) return `process ${process.argv[2]} does not like it`;
    texts = next;
    return undefined;
  },
});
const keepAlive = setInterval(() => undefined, 1_000);
await link.stop;
if (texts['do'] !== 'deaf') {
  clearInterval(keepAlive);
  await link.close();
  process.disconnect();
}
