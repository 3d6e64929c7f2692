import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { describeGroups } from '../../../src/io/kafka/admin/group-description.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { runPenstock } from '../../lab/deployment/penstock.ts';
import { type Running, reload } from '../../lab/deployment/running.ts';
import { scrape, trueSeries } from '../../lab/generator/true-series.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';

const PARTITIONS = 4;
const SERIES = 200;
const START_MS = 1_760_000_000_000;

interface Process {
  process: number;
  pid: number;
  state: string;
  restarts: number;
  config_hash?: string;
  partitions?: unknown[];
}

const series = trueSeries(SERIES);
const kafka = await startKafka();
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: PARTITIONS,
  routes: [{ name: 'all', task: { labels: ['service', 'namespace'], count: 8 } }],
});
closeAfterTests(penstock, kafka);

describe('worker.processes: 2', () => {
  let worker: Running;
  let rounds = 0;

  before(async () => {
    worker = await penstock.start(['worker'], { PENSTOCK_WORKER_PROCESSES: '2' });
  });

  /** A scrape of all series, a quarter of them in each partition. */
  async function produce(): Promise<void> {
    const time = START_MS + rounds * 1000;
    const share = SERIES / PARTITIONS;
    for (let partition = 0; partition < PARTITIONS; partition += 1) {
      const body = scrape(series.slice(partition * share, (partition + 1) * share), time, rounds);
      await penstock.produce([body], partition);
    }
    rounds += 1;
  }

  async function processes(): Promise<Process[]> {
    const response = await fetch(`${worker.admin}/api/status`);
    return ((await response.json()) as { processes: Process[] }).processes;
  }

  const isReady = async () => (await fetch(`${worker.admin}/-/ready`)).ok;

  /** The values of a metric, by the text of their labels. */
  async function metric(name: string): Promise<Map<string, number>> {
    const text = await (await fetch(`${worker.admin}/metrics`)).text();
    const lines = text
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return new Map(
      lines.map((line) => [line.slice(name.length, line.lastIndexOf(' ')), Number(line.split(' ').at(-1))]),
    );
  }

  async function published(): Promise<number> {
    return (await metric('penstock_samples_total')).get('{stage="publish",route="all"}') ?? 0;
  }

  async function killed(index: number): Promise<void> {
    const { pid, restarts } = (await processes())[index]!;
    process.kill(pid, 'SIGKILL');
    await poll(
      async () => {
        const now = (await processes())[index]!;
        return now.restarts === restarts + 1 && now.state === 'running' && (await isReady());
      },
      { timeoutMs: 120_000 },
      () => new Error(`process ${index} did not come back:\n${worker.process.log().slice(-4000)}`),
    );
  }

  /** All samples are in the task topic, each once, and in order. */
  async function assertTruth(): Promise<void> {
    const { samples, repeated, outOfOrder } = samplesOf(await penstock.read(penstock.topic('all')));
    assert.deepEqual(
      { samples: samples.size, repeated, outOfOrder },
      { samples: rounds * SERIES, repeated: 0, outOfOrder: 0 },
    );
  }

  test('two members of the group share the partitions, under client ids of their own', async () => {
    await produce();
    await penstock.workersDone();
    const description = (await describeGroups(penstock.admin, [penstock.group])).get(penstock.group)!;
    assert.deepEqual(description.members.map(({ client }) => client).sort(), ['penstock-0', 'penstock-1']);
    assert.deepEqual(
      (await processes()).map(({ partitions }) => partitions?.length),
      [2, 2],
    );
    assert.equal(await published(), SERIES);
    assert.deepEqual([...(await metric('process_resident_memory_bytes')).keys()].sort(), [
      '{process="0"}',
      '{process="1"}',
      '{process="supervisor"}',
    ]);
  });

  test('one killed in the middle of its work is started again; nothing is lost and nothing is there twice', async () => {
    let producing = true;
    let seen = 0;
    const producer = (async () => {
      while (producing) {
        await produce();
        const now = await published();
        assert.ok(now >= seen, `the counter went from ${seen} to ${now}`);
        seen = now;
        await sleep(20);
      }
    })();
    await killed(0);
    producing = false;
    await producer;
    await penstock.workersDone();
    await assertTruth();
    const restarts = await metric('penstock_worker_process_restarts_total');
    assert.deepEqual(
      [...restarts],
      [
        ['{process="0"}', 1],
        ['{process="1"}', 0],
      ],
    );
  });

  test('what was counted before a process is killed stays, and what comes after is added', async () => {
    const before = await published();
    await killed(1);
    assert.equal(await published(), before);
    for (let round = 0; round < 5; round += 1) await produce();
    await penstock.workersDone();
    await poll(
      async () => (await published()) === before + 5 * SERIES,
      {},
      () => new Error('not all samples are counted'),
    );
    await assertTruth();
  });

  test('a reload reaches all processes, and is refused by all or none', async () => {
    const good = readFileSync(penstock.configFile, 'utf8');
    writeFileSync(penstock.configFile, good.replace('"routes": [', '"routes": [{"name": "broken"},'));
    const refused = await fetch(`${worker.admin}/-/reload`, {
      method: 'POST',
      headers: { 'x-penstock-reload': '1' },
    });
    assert.equal(refused.status, 400);
    assert.match(await refused.text(), /routes\[0\]/);

    const config = JSON.parse(good);
    config.routes[0].relabel = [{ target_label: 'reloaded', replacement: 'yes' }];
    writeFileSync(penstock.configFile, JSON.stringify(config));
    worker.process.signal('SIGHUP');
    await poll(
      async () => (await metric('penstock_config_reloads_total')).get('{result="applied"}') === 1,
      {},
      () => new Error('the reload was not counted'),
    );
    assert.equal((await metric('penstock_config_reloads_total')).get('{result="refused"}'), 1);
    const reloadedAt = START_MS + rounds * 1000;
    await produce();
    await penstock.workersDone();
    const { samples } = samplesOf(await penstock.read(penstock.topic('all')));
    const fresh = [...samples.keys()].filter((key) => key.endsWith(`@${reloadedAt}`));
    assert.equal(fresh.length, SERIES);
    assert.ok(
      fresh.every((key) => key.includes('reloaded="yes"')),
      'all partitions go by the new rules',
    );
  });

  test('a process that hangs holds up no reload, and one that starts later has what is in force', async () => {
    const config = JSON.parse(readFileSync(penstock.configFile, 'utf8'));
    const hashes = async () => (await processes()).map(({ config_hash }) => config_hash);
    const [before] = await hashes();
    const stopped = (await processes())[1]!;
    process.kill(stopped.pid, 'SIGSTOP');
    config.routes[0].relabel = [{ target_label: 'reloaded', replacement: 'again' }];
    writeFileSync(penstock.configFile, JSON.stringify(config));
    const [first, second] = await Promise.all([reload(worker), reload(worker)]);
    assert.deepEqual([first.status, second.status], [200, 200], first.text + second.text);
    // What lies on the disk now is not in force, and nobody takes it for that.
    writeFileSync(penstock.configFile, JSON.stringify({ ...config, routes: [] }));
    assert.equal((await reload(worker)).status, 400);
    const sameHash = async () => {
      const now = await hashes();
      return (await isReady()) && now[0] !== undefined && now[0] !== before && now[0] === now[1];
    };
    const late = () => new Error(`they do not agree:\n${worker.process.log().slice(-4000)}`);
    await poll(sameHash, { timeoutMs: 120_000 }, late);
    assert.notEqual((await processes())[1]!.pid, stopped.pid);
    await killed(0);
    await poll(sameHash, { timeoutMs: 120_000 }, late);
    const hash = (await hashes())[0];
    assert.equal((await metric('penstock_config_info')).get(`{hash="${hash}"}`), 2);
    assert.equal((await metric('penstock_config_last_reload_successful')).get(''), 0);
    writeFileSync(penstock.configFile, JSON.stringify(config));
    assert.equal((await reload(worker)).status, 200);
    assert.equal((await metric('penstock_config_last_reload_successful')).get(''), 1);

    const reloadedAt = START_MS + rounds * 1000;
    await produce();
    await penstock.workersDone();
    const { samples, repeated } = samplesOf(await penstock.read(penstock.topic('all')));
    const fresh = [...samples.keys()].filter((key) => key.endsWith(`@${reloadedAt}`));
    assert.equal(fresh.length, SERIES);
    assert.ok(fresh.every((key) => key.includes('reloaded="again"')));
    assert.equal(repeated, 0);
  });

  test('SIGTERM drains all of them and ends with 0; each log line says whose it is', async () => {
    const pids = (await processes()).map(({ pid }) => pid);
    await produce();
    assert.deepEqual(await worker.process.stop(), { code: 0, signal: null });
    for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    const lines = worker.process
      .log()
      .split('\n')
      .filter((line) => line.startsWith('{'));
    const stopped = lines.map((line) => JSON.parse(line)).filter(({ msg }) => msg === 'stopped');
    assert.deepEqual(stopped.map((line) => line.process).sort(), [0, 1, undefined]);
    worker = await penstock.start(['worker'], { PENSTOCK_WORKER_PROCESSES: '2' });
    await penstock.workersDone();
  });

  test('processes whose supervisor is killed finish and leave the group', async () => {
    await worker.process.kill();
    await poll(
      () => [0, 1].every((index) => worker.process.log().includes(`"process":${index},"msg":"stopped"`)),
      { timeoutMs: 60_000 },
      () => new Error(`they run on:\n${worker.process.log().slice(-4000)}`),
    );
    await poll(
      async () => {
        const description = (await describeGroups(penstock.admin, [penstock.group])).get(penstock.group)!;
        return description.members.length === 0;
      },
      {},
      () => new Error('the group still has members'),
    );
  });

  test('a wrong configuration is refused once, and a missing topic ends all', async () => {
    const wrong = await runPenstock(['worker'], {
      configFile: penstock.configFile,
      env: { PENSTOCK_WORKER_PROCESSES: 'many' },
    });
    assert.equal(wrong.code, 2);
    assert.equal(wrong.stderr.match(/many/g)?.length, 1, wrong.stderr);
    assert.match(
      wrong.stderr,
      /PENSTOCK_WORKER_PROCESSES: worker\.processes: .*expected a whole number .*or auto/,
    );

    const missing = await runPenstock(['worker'], {
      configFile: penstock.configFile,
      env: {
        PENSTOCK_WORKER_PROCESSES: '2',
        PENSTOCK_WORKER_TOPIC: 'metrics.is-not-there',
        PENSTOCK_ADMIN_LISTEN: '127.0.0.1:0',
      },
    });
    assert.equal(missing.code, 1);
    assert.match(missing.stdout, /worker cannot go on: .*metrics\.is-not-there/);
    assert.doesNotMatch(missing.stdout, /started again/);
  });
});
