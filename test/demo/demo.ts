/**
 * npm run demo: Penstock on real Kafka, VictoriaMetrics and vmagents, everything on this machine.
 *
 * A generator writes business metrics; two workers and three drains carry them to three vmagents; a third worker
 * comes, one worker goes; in the end every stored sample is compared with what was written.
 */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createRunFolder, removeRunFolder, sweepRunFolders } from '../lab/cache.ts';
import { applyTopics } from '../lab/deployment/penstock.ts';
import { numberArguments } from '../lab/script-arguments.ts';
import { startCluster } from './cluster.ts';
import { configuration, NODES, WINDOW_MS, WORKERS } from './configuration.ts';
import { Deployment } from './deployment.ts';
import { count, type Snapshot } from './display.ts';
import { Screen } from './screen.ts';
import { formatVerdict, readWritten, verify } from './verify.ts';

const USAGE = `npm run demo -- [--seconds N] [--seed S]

  --seconds N   how long samples are written (default 60)
  --seed S      other pods and values (default 1)
`;

/** Two windows; processes come and go early in one of them. */
const LEAST_SECONDS = 30;
/** All samples are kept in memory to be compared. */
const MOST_SECONDS = 900;
const TICK_MS = 500;
/** Delay from the start of a window until a process comes or goes. */
const EARLY_MS = 500;
const SERIES = 3_000;
const SCRAPE_INTERVAL = '1s';
/** Most time for all written samples to reach the vmagents. */
const DRAIN_DEADLINE_MS = 60_000;
const INTERRUPTED = 130;

class Interrupted extends Error {}

async function main(): Promise<number> {
  const options = readOptions();
  const began = Date.now();
  const screen = new Screen(process.stdout);
  const print = (line?: string) => screen.print(line);
  const closing = new AsyncDisposableStack();
  const interrupted = interruption();
  sweepRunFolders();
  const folder = createRunFolder('demo');
  const deployment = new Deployment(WORKERS.slice(), NODES.slice());

  let passed = false;
  try {
    const run = perform({ ...options, began, screen, print, closing, folder, deployment });
    // After an interruption the rest of the run fails on closed servers: ignored.
    run.catch(() => {});
    passed = await Promise.race([run, interrupted]);
    return passed ? 0 : 1;
  } catch (error) {
    screen.settle();
    if (error instanceof Interrupted) {
      passed = true;
      print('Interrupted: everything that was started is being ended.');
      return INTERRUPTED;
    }
    print(`\nFAILED: ${error instanceof Error ? error.message : String(error)}`);
    return 1;
  } finally {
    await deployment.kill();
    await closing.disposeAsync();
    if (passed) {
      deployment.removeLogs();
      removeRunFolder(folder);
    } else {
      print('Logs, until the next demo or test run:');
      for (const line of deployment.logs) print(`  ${line}`);
    }
  }
}

interface Performance {
  seconds: number;
  seed: number;
  /** When the demo was started, ms since the epoch. */
  began: number;
  screen: Screen;
  print: (line?: string) => void;
  closing: AsyncDisposableStack;
  folder: string;
  deployment: Deployment;
}

/** The demo itself. @returns whether every check passed */
async function perform(demo: Performance): Promise<boolean> {
  const { seconds, seed, began, screen, print, closing, folder, deployment } = demo;
  const configFile = path.join(folder, 'penstock.yml');
  const writtenFile = path.join(folder, 'written.jsonl');

  print('Penstock demo: all of it runs on this machine, on loopback, and ends with it.');
  const { kafka, storage, agents, aggregates } = await startCluster(print, closing);
  writeFileSync(
    configFile,
    configuration({ brokers: kafka.brokers, vmagents: agents.map(({ url }) => url) }),
  );
  await applyTopics({ configFile });
  print(`  penstock topics apply: done; the configuration is ${path.relative('.', configFile)}`);

  const { workers, drains, generator } = deployment;
  await Promise.all([
    ...workers.slice(0, 2).map((worker) => worker.start(configFile)),
    ...drains.map((drain) => drain.start(configFile, { PENSTOCK_DRAIN_NODE: drain.name })),
  ]);
  const load = ['--series', String(SERIES), '--interval', SCRAPE_INTERVAL, '--seed', String(seed)];
  generator.launch(configFile, [...load, '--written', writtenFile]);
  print('  penstock worker (2), drain (3) and generate: started');
  print();

  let startMs: number | undefined;
  const events: Snapshot['events'] = [];
  const elapsed = () => (startMs === undefined ? 0 : (Date.now() - startMs) / 1000);
  const happened = (text: string) => events.push({ atSeconds: elapsed(), text });
  const refresh = async (next: string, { now = false } = {}) => {
    await deployment.read();
    screen.show(
      {
        elapsedSeconds: Math.min(elapsed(), seconds),
        totalSeconds: seconds,
        generator: generator.figures,
        workers: workers.map(({ figures }) => figures),
        nodes: drains.map(({ figures }) => figures),
        totals: deployment.totals,
        events,
        next,
      },
      { now },
    );
  };
  /** Refreshes the table until `done`; `next` is called each time, since it may count down. */
  const during = async (next: () => string, done: () => boolean) => {
    while (!done()) {
      await refresh(next());
      await sleep(TICK_MS);
    }
  };
  const until = (second: number, what: string) =>
    during(
      () => `${what} in ${Math.max(0, Math.ceil(second - elapsed()))} s`,
      () => elapsed() >= second,
    );
  /** The first second from `second` on early in a window: vmagents drop samples that come after theirs has closed. */
  const earlyInWindow = (second: number) => {
    const atMs = startMs! + second * 1000 - EARLY_MS;
    return (Math.ceil(atMs / WINDOW_MS) * WINDOW_MS + EARLY_MS - startMs!) / 1000;
  };

  await during(
    () => 'the first samples arrive at the vmagents',
    () => deployment.totals.delivered > 0,
  );
  startMs = Date.now();
  happened(`first samples at the vmagents, ${((startMs - began) / 1000).toFixed(0)} s after npm run demo`);

  await until(earlyInWindow(seconds / 3), `${WORKERS[2]} starts`);
  const third = workers[2]!;
  await third.start(configFile);
  happened(`${third.name} started`);
  const startedAt = elapsed();
  await during(
    () => `${third.name} joins the consumer group, and the partitions are shared out anew`,
    () => third.state === 'running' || elapsed() >= (2 * seconds) / 3 + WINDOW_MS / 1000,
  );
  if (third.state === 'running') {
    happened(
      `${third.name} has its share of the partitions, ${(elapsed() - startedAt).toFixed(1)} s after its start`,
    );
  }
  await until(earlyInWindow(Math.max((2 * seconds) / 3, elapsed())), `${WORKERS[0]} is stopped by SIGTERM`);
  const stopped = workers[0]!.stop();
  // Awaited below; until then a rejection must not count as unhandled.
  stopped.catch(() => {});
  await during(
    () => `${WORKERS[0]} finishes what it has in flight`,
    () => workers[0]!.state === 'stopped',
  );
  await stopped;
  happened(`${WORKERS[0]} stopped and exited with 0: the others have its partitions`);
  await until(seconds, 'the generator stops');
  await generator.stop();
  await deployment.read();
  const { samples } = generator;
  happened(`generator stopped: ${count(samples)} samples written`);
  const deadline = Date.now() + DRAIN_DEADLINE_MS;
  await during(
    () => `everything drains to lag 0; then storage is compared with what was written`,
    () => (deployment.totals.delivered >= samples && deployment.lag === 0) || Date.now() > deadline,
  );
  happened(
    Date.now() > deadline
      ? `not drained within ${DRAIN_DEADLINE_MS / 1000} s`
      : 'lag 0: everything is at the vmagents',
  );
  await refresh('comparing storage with what was written', { now: true });
  screen.settle();

  print();
  const written = readWritten(writtenFile);
  const verdict = await verify(configFile, written, storage, aggregates ? startMs : undefined);
  await deployment.stop();
  for (const line of formatVerdict(verdict, screen)) print(line);
  return verdict.ok;
}

function readOptions(): { seconds: number; seed: number } {
  return numberArguments(USAGE, {
    seconds: { default: 60, least: LEAST_SECONDS, most: MOST_SECONDS, whole: false },
    seed: { default: 1, least: 0, most: 999_999_999 },
  });
}

/** Rejects at Ctrl-C or SIGTERM; a second one ends the demo at once, and the kernel its children. */
function interruption(): Promise<never> {
  return new Promise((_, reject) => {
    let seen = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
      process.on(signal, () => {
        if (seen) process.exit(INTERRUPTED);
        seen = true;
        reject(new Interrupted());
      });
    }
  });
}

process.exit(await main());
