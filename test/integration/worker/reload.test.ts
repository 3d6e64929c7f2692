import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { loadConfig } from '../../../src/app/config/load.ts';
import { compileRoutes } from '../../../src/core/route/route.ts';
import { uncompress } from '../../../src/core/wire/snappy.ts';
import { createLog } from '../../../src/io/telemetry/log.ts';
import { Metrics } from '../../../src/io/telemetry/metrics.ts';
import { Worker } from '../../../src/services/worker/worker.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { runPenstock } from '../../lab/deployment/penstock.ts';
import { metricOf, type Running, reload as reloadNow } from '../../lab/deployment/running.ts';
import { writeRequest } from '../../lab/generator/write-request.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { decodeWriteRequest } from '../../lab/truth/prompb.ts';
import { closeAfterTests } from '../../support/closing.ts';

const PARTITIONS = 3;
const SERIES = 40;
const START_MS = 1_760_000_000_000;
const MAX_BODY = 16 << 20;
/** So many rounds are written between two changes of the rules: they fall into the middle of the work. */
const ROUNDS = 60;

const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: PARTITIONS,
  routes: [{ name: 'all', task: { labels: ['series'], count: 4 }, relabel: rules('first') }],
});
closeAfterTests(penstock, kafka);

test('a reload under load neither loses nor repeats a sample, and an invalid file leaves the rules in force', async () => {
  const worker = await penstock.start(['worker']);
  const load = new Load();
  await load.rounds(ROUNDS);

  await reload(worker, { relabel: rules('second') }, 'applied');
  await load.rounds(ROUNDS);
  await reload(worker, { relabel: [{ action: 'no such action' }] }, 'refused');
  await worker.process.waitForLog(
    /no such action.*"msg":"the new configuration was refused; the old one stays in force"/,
  );
  const refusedAt = load.round;
  await poll(
    async () => {
      const committed = await penstock.admin.committedOffsets(penstock.group, penstock.raw);
      return committed.size === PARTITIONS && [...committed.values()].every((next) => next > refusedAt);
    },
    {},
    () => new Error('the worker does not go on'),
  );
  await reload(worker, { relabel: rules('third') }, 'applied');
  await load.rounds(ROUNDS);
  const rounds = await load.stop();
  await penstock.workersDone();

  const found = await samplesBySeries(penstock);
  assert.equal(found.size, PARTITIONS * SERIES);
  const expected = Array.from({ length: rounds }, (_, round) => round);
  for (const [series, samples] of found) {
    assert.deepEqual(
      samples.map(({ round }) => round),
      expected,
      `${series}: each sample once, in order`,
    );
    const versions = samples.map(({ rules }) => rules);
    assert.deepEqual([...new Set(versions)], ['first', 'second', 'third'], `${series}: no rules come back`);
    assert.equal(versions[refusedAt], 'second', `${series}: the rules in force after the invalid file`);
    assert.equal(versions.at(-1), 'third');
  }
  assert.equal((await worker.process.stop()).code, 0);
});

test('limits, encodings, mapping and ingest topics change without a restart; what takes one is named', async () => {
  const own = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['series'], count: 4 } }],
    worker: { limits: { labels_per_series: 1 } },
  });
  try {
    const worker = await own.start(['worker']);
    const config = () => JSON.parse(readFileSync(own.configFile, 'utf8'));
    const settings = { ...config().worker, limits: { labels_per_series: 9 } };
    const dead = () =>
      metricOf(
        worker,
        `penstock_dead_letters_total{stage="decode",reason="too_many_labels",topic="${own.raw}"}`,
      );
    const write = (topic: string, value: Buffer) =>
      own.producer.send([{ topic, partition: 0, key: null, value, headers: {}, timestamp: START_MS }]);
    const arrived = (series: string, many: number) =>
      poll(
        async () => (await samplesBySeries(own)).get(series)?.length === many,
        {},
        () => new Error(`${series} has not arrived ${many} times`),
      );
    const taken = async (says: RegExp) => {
      const answer = await reloadNow(worker);
      assert.equal(answer.status, 200, answer.text);
      assert.match(answer.text, says);
    };

    await own.produce([body(0, 0)]);
    await own.workersDone();
    const refusedBefore = await dead();
    assert.ok(refusedBefore! > 0);
    own.reconfigure({ worker: settings });
    await taken(/changed: worker\.limits\.labels_per_series$/m);
    await own.produce([body(0, 1)]);
    await arrived('0-0', 1);
    assert.equal(await dead(), refusedBefore, 'the raised limit holds');

    const hash = await hashOf(worker);
    own.reconfigure({
      worker: { ...settings, group: 'another' },
      routes: [{ ...config().routes[0], relabel: rules('never') }],
    });
    const refused = await reloadNow(worker);
    assert.equal(refused.status, 400);
    assert.match(
      refused.text,
      /penstock\.yml:\d+: worker\.group: changed, and takes effect at a restart only/,
    );
    assert.equal(await metricOf(worker, 'penstock_config_last_reload_successful'), 0);
    assert.equal(await hashOf(worker), hash);

    // A topic more, with records of another kind, that are mapped; then the mapping is put right.
    const mapped = { topic: `${own.raw}.mapped`, encoding: 'mapped_json', mapping: { value: 'wrong' } };
    const topics = [{ topic: own.raw }, mapped];
    const { topic: _, ...others } = settings;
    own.reconfigure({ worker: { ...others, topics }, routes: config().routes.map(withoutRules) });
    const missing = await reloadNow(worker);
    assert.equal(missing.status, 400);
    assert.match(missing.text, /topic .*\.mapped does not exist/);
    const { code, stderr } = await runPenstock(['topics', 'apply'], { configFile: own.configFile });
    assert.equal(code, 0, stderr);
    await taken(/changed: worker\.topics$/m);
    const record = (series: string) =>
      Buffer.from(
        JSON.stringify({
          series: [{ labels: { __name__: 'm', series }, samples: [{ timestamp: START_MS, value: 1 }] }],
        }),
      );
    await write(mapped.topic, record('unmapped'));
    await poll(
      async () => (await own.lag(own.group, mapped.topic)) === 0n,
      { timeoutMs: 120_000 },
      () => new Error('the new topic is not read'),
    );
    assert.equal((await samplesBySeries(own)).get('unmapped'), undefined);
    own.reconfigure({ worker: { ...others, topics: [{ topic: own.raw }, { ...mapped, mapping: {} }] } });
    await taken(/changed: worker\.topics$/m);
    await write(mapped.topic, record('mapped'));
    await arrived('mapped', 1);
    assert.notEqual(await hashOf(worker), hash);

    // A topic less: what is written to it then is not read any more.
    own.reconfigure({ worker: settings });
    await taken(/changed: worker\.topics$/m);
    await own.produce([body(0, 2)]);
    await poll(
      async () => !(await held(worker)).includes(mapped.topic),
      { timeoutMs: 120_000 },
      () => new Error('the topic is still read'),
    );
    await write(mapped.topic, record('late'));
    await own.produce([body(0, 3)]);
    await own.workersDone();
    assert.equal((await samplesBySeries(own)).get('late'), undefined);
    assert.deepEqual(await worker.process.stop(), { code: 0, signal: null });
  } finally {
    await own.close();
  }
});

test('samples without a route, and a group label that is lost, are counted and said', async () => {
  const own = await Deployment.create({
    brokers: kafka.brokers,
    routes: [
      {
        name: 'all',
        match: ['{series=~"[0-2]-.+"}'],
        task: { labels: ['series', '__name__'], count: 4 },
        relabel: [{ action: 'replace', source_labels: ['series'], regex: '.*-(.+)', target_label: 'index' }],
      },
    ],
  });
  try {
    const worker = await own.start(['worker']);
    await own.produce([0, 1, 2, 3].map((partition) => body(partition, 0)));
    await worker.process.waitForLog(/"samples":40,"example":"m\{series=\\"3-\d+\\"\}".*no route matches/);
    const lost = 'penstock_route_new_series_without_label_total{route="all",label="series"}';
    assert.equal(await metricOf(worker, lost), 0);
    assert.doesNotMatch(worker.process.log(), /divides nothing/);

    changeRoute(own, { relabel: [{ action: 'labeldrop', regex: 'series' }] });
    assert.equal((await reloadNow(worker)).status, 200);
    await worker.process.waitForLog(
      /routes\[0\]\.relabel\[0\]: group label series of route all is on no series/,
    );
    await own.produce([0, 1, 2].map((partition) => body(partition, 1)));
    await worker.process.waitForLog(/"route":"all","label":"series".*divides nothing/);
    assert.equal(await metricOf(worker, lost), 3 * SERIES);
    assert.equal(
      await metricOf(worker, 'penstock_route_new_series_without_label_total{route="all",label="__name__"}'),
      0,
    );
    assert.equal(
      await metricOf(worker, `penstock_dropped_samples_total{reason="no_route",route="",topic="${own.raw}"}`),
      SERIES,
    );

    own.reconfigure({ routes: [] });
    const refused = await reloadNow(worker);
    assert.equal(refused.status, 400);
    assert.match(refused.text, /routes: there are none.*allow_no_routes/);
  } finally {
    await own.close();
  }
});

test('a reload that is refused shows no secret, neither in the log nor in the answer', async () => {
  const { admin, process } = await penstock.start(['worker']);
  const before = readFileSync(penstock.configFile, 'utf8');
  const { kafka: _, ...others } = JSON.parse(before);
  writeFileSync(penstock.configFile, JSON.stringify({ ...others, kafka: { sasl: 'admin:hunter2' } }));
  const answer = await fetch(`${admin}/-/reload`, { method: 'POST', headers: { 'x-penstock-reload': '1' } });
  const text = await answer.text();
  writeFileSync(penstock.configFile, before);
  assert.equal(answer.status, 400);
  assert.match(text, /kafka\.sasl: the given value does not fit; expected a mapping/);
  await process.waitForLog(/kafka\.sasl: the given value does not fit/);
  assert.doesNotMatch(`${text}${process.log()}`, /hunter2/);
  assert.equal((await process.stop()).code, 0);
});

test('a reload while the worker starts is in force when it has started', async () => {
  const own = await Deployment.create({
    brokers: kafka.brokers,
    routes: [{ name: 'all', task: { labels: ['series'], count: 4 }, relabel: rules('first') }],
  });
  const config = () => loadConfig({ file: own.configFile, env: {} });
  const { worker: settings, registry, ...first } = config();
  const options = { worker: settings, registry, routes: compileRoutes(first) };
  const worker = new Worker(own.connection, options, new Metrics(), createLog('silent', 'test'));
  try {
    const started = worker.start();
    changeRoute(own, { relabel: rules('second') });
    const { worker: limits, registry: schemas, ...next } = config();
    (await worker.prepare({ worker: limits, registry: schemas, routes: compileRoutes(next) })).commit();
    await started;
    await own.produce([body(0, 0)]);
    await own.workersDone();
    const versions = [...(await samplesBySeries(own)).values()].flat().map(({ rules }) => rules);
    assert.deepEqual([...new Set(versions)], ['second']);
  } finally {
    await worker.stop(performance.now() + 10_000);
    await own.close();
  }
});

async function hashOf({ admin }: Running): Promise<string> {
  return ((await (await fetch(`${admin}/api/status`)).json()) as { config_hash: string }).config_hash;
}

/** Topics of the partitions that a worker holds. */
async function held({ admin }: Running): Promise<string[]> {
  const { partitions } = (await (await fetch(`${admin}/api/status`)).json()) as {
    partitions: { topic: string }[];
  };
  return partitions.map(({ topic }) => topic);
}

function withoutRules({ relabel: _, ...route }: Record<string, unknown>) {
  return route;
}

function rules(version: string) {
  return [{ target_label: 'rules', replacement: version }];
}

/** Writes another route to the file, sends SIGHUP, and waits for what comes of it. */
async function reload({ process, admin }: Running, change: object, result: 'applied' | 'refused') {
  changeRoute(penstock, change);
  const count = async () =>
    (await metricOf({ admin }, `penstock_config_reloads_total{result="${result}"}`)) ?? 0;
  const before = await count();
  process.signal('SIGHUP');
  await poll(
    async () => (await count()) === before + 1,
    {},
    () => new Error(`the reload was not ${result}`),
  );
}

function changeRoute({ configFile }: Deployment, change: object): void {
  const config = JSON.parse(readFileSync(configFile, 'utf8'));
  Object.assign(config.routes[0], change);
  writeFileSync(configFile, JSON.stringify(config));
}

/** Writes a sample of every series in every round, until it is stopped. */
class Load {
  round = 0;
  #stopped = false;
  readonly #loop = this.#run();

  /** Waits until so many more rounds are written. */
  async rounds(count: number): Promise<void> {
    const end = this.round + count;
    await poll(
      () => this.round >= end,
      {},
      () => new Error('the load does not flow'),
    );
  }

  async stop(): Promise<number> {
    this.#stopped = true;
    await this.#loop;
    return this.round;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      const bodies = Array.from({ length: PARTITIONS }, (_, partition) => body(partition, this.round));
      await Promise.all(bodies.map((value, partition) => penstock.produce([value], partition)));
      this.round += 1;
      await sleep(10);
    }
  }
}

function body(partition: number, round: number): Buffer {
  return writeRequest(
    Array.from({ length: SERIES }, (_, index) => ({
      labels: [
        ['__name__', 'm'],
        ['series', `${partition}-${index}`],
      ],
      samples: [[START_MS + round, round]],
    })),
  );
}

async function samplesBySeries(from: Deployment): Promise<Map<string, { round: number; rules: string }[]>> {
  const found = new Map<string, { round: number; rules: string }[]>();
  for (const { value } of await from.read(from.topic('all'))) {
    for (const { labels, samples } of decodeWriteRequest(uncompress(value!, MAX_BODY)).series) {
      const { series = '', rules = '' } = Object.fromEntries(labels);
      const list = found.get(series) ?? [];
      list.push(...samples.map(({ timestamp }) => ({ round: Number(timestamp) - START_MS, rules })));
      found.set(series, list);
    }
  }
  return found;
}
