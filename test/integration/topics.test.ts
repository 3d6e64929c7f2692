import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { KafkaAdmin } from '../../src/io/kafka/admin/admin.ts';
import { TopicAdmin } from '../../src/io/kafka/admin/topic-admin.ts';
import { KafkaConnection } from '../../src/io/kafka/client/connection.ts';
import { kafkaOptions } from '../../src/io/kafka/client/options.ts';
import { PlainProducer } from '../../src/io/kafka/produce/plain-producer.ts';
import { createLog } from '../../src/io/telemetry/log.ts';
import type { TopicChange } from '../../src/services/topics/plan.ts';
import { runPenstock } from '../lab/deployment/penstock.ts';
import { uniqueName } from '../lab/names.ts';
import { freePort } from '../lab/ports.ts';
import { type KafkaCluster, startKafka } from '../lab/servers/kafka.ts';

const TOPIC = 2;

interface Options {
  /** Undefined: not in the file. */
  readonly rawPartitions?: number | undefined;
  readonly retention?: string | undefined;
  readonly count?: number;
  readonly replicationFactor?: number;
}

const USUAL = { rawPartitions: 3, retention: '1h', count: 4, replicationFactor: 1 };

interface Result {
  readonly code: number | null;
  readonly stderr: string;
  readonly applied: boolean;
  readonly changes: readonly TopicChange[];
  readonly topics: readonly {
    topic: string;
    partitions: number | null;
    warnings: string[];
    refusals: string[];
  }[];
}

describe('penstock topics on a real Kafka', () => {
  const folder = mkdtempSync(join(tmpdir(), 'penstock-topics-'));
  let cluster: KafkaCluster;
  let kafka: KafkaAdmin;
  let topics: TopicAdmin;

  before(async () => {
    cluster = await startKafka();
    kafka = new KafkaAdmin(
      new KafkaConnection(kafkaOptions.parse({ brokers: cluster.brokers }), createLog('silent', 'test')),
    );
    topics = new TopicAdmin(kafka);
  });
  after(async () => {
    await kafka?.close();
    await cluster?.close();
    rmSync(folder, { recursive: true });
  });

  /** Topic names of its own, and the command on them. */
  function deployment(brokers = cluster.brokers) {
    const [raw, tasks, dead] = [uniqueName('raw'), uniqueName('tasks'), uniqueName('dead')];
    const file = join(folder, `${raw}.yml`);
    const configure = (given: Options) => {
      const { rawPartitions, retention, count, replicationFactor } = { ...USUAL, ...given };
      writeFileSync(
        file,
        JSON.stringify({
          kafka: { brokers },
          worker: { topic: raw, dead_topic: dead },
          routes: [{ name: 'r', topic: tasks, task: { labels: ['service'], count } }],
          topics: { replication_factor: replicationFactor, raw: { partitions: rawPartitions, retention } },
        }),
      );
    };
    async function run(action: string, options: Options = {}, flags: string[] = []): Promise<Result> {
      configure(options);
      const { code, stdout, stderr } = await runPenstock(['topics', action, '--json', ...flags], {
        configFile: file,
      });
      return {
        code,
        stderr,
        ...(stdout === '' ? { applied: false, changes: [], topics: [] } : JSON.parse(stdout)),
      };
    }
    async function text(action: string, options: Options = {}) {
      configure(options);
      return await runPenstock(['topics', action], { configFile: file });
    }
    return { raw, tasks, dead, names: [raw, tasks, dead], run, text };
  }

  it('plan shows and does nothing, apply does it, and then there is nothing left to do', async () => {
    const { raw, tasks, dead, names, run, text } = deployment();
    const plan = await run('plan');
    assert.equal(plan.code, 0, plan.stderr);
    assert.deepEqual(
      plan.changes.map(({ action, topic }) => [action, topic]),
      [
        ['create', raw],
        ['create', tasks],
        ['create', dead],
      ],
    );
    assert.equal((await topics.read(names)).topics.size, 0);

    const first = await run('apply');
    assert.equal(first.code, 0, first.stderr);
    assert.equal(first.applied, true);
    assert.deepEqual(first.changes, plan.changes);
    const { topics: made } = await topics.read(names);
    assert.deepEqual(
      names.map((name) => made.get(name)?.partitions),
      [3, 4, 1],
    );
    assert.equal(made.get(raw)!.settings.get('retention.ms'), '3600000');
    assert.equal(made.get(tasks)!.settings.get('max.message.bytes'), '4194304');
    assert.equal(made.get(dead)!.settings.get('max.message.bytes'), String(4_194_304 + 65_536));

    const second = await run('apply');
    assert.deepEqual([second.code, second.applied, second.changes], [0, true, []]);
    const shown = await text('plan');
    assert.equal(shown.code, 0);
    assert.match(shown.stdout, new RegExp(`^${tasks} +tasks +4 +nothing to do$`, 'm'));
  });

  it('two at once both succeed, and the topics are as needed', async () => {
    const { names, run } = deployment();
    const created = await Promise.all([run('apply'), run('apply')]);
    assert.deepEqual(
      created.map(({ code, applied }) => [code, applied]),
      [
        [0, true],
        [0, true],
      ],
      created.map(({ stderr }) => stderr).join(),
    );
    const more = { rawPartitions: 5, count: 8, retention: '2h' };
    const grown = await Promise.all([run('apply', more), run('apply', more)]);
    assert.ok(
      grown.every(({ code, applied }) => code === 0 && applied),
      grown.map(({ stderr }) => stderr).join(),
    );
    const { topics: made } = await topics.read(names);
    assert.deepEqual(
      names.map((name) => made.get(name)?.partitions),
      [5, 8, 1],
    );
  });

  it('keeps what an operator has set', async () => {
    const { raw, run } = deployment();
    await run('apply');
    await topics.alter(raw, { 'compression.type': 'zstd', 'segment.bytes': '16777216' });
    const { code, changes, stderr } = await run('apply', { retention: '6h' });
    assert.equal(code, 0, stderr);
    const means = 'records are kept for longer and take more disk';
    const to = { name: 'retention.ms', from: '3600000', to: '21600000', means, takes_records: false };
    assert.deepEqual(changes, [{ action: 'alter', topic: raw, settings: [to] }]);
    assert.deepEqual(await setOnTopic(raw), {
      'cleanup.policy': 'delete',
      'compression.type': 'zstd',
      'message.timestamp.type': 'CreateTime',
      'retention.ms': '21600000',
      'segment.bytes': '16777216',
    });
  });

  it('grows partitions, which can be written to at once', async () => {
    const { raw, tasks, run } = deployment();
    await run('apply');
    const { code, changes, topics: after, stderr } = await run('apply', { rawPartitions: 6, count: 9 });
    assert.equal(code, 0, stderr);
    assert.deepEqual(changes, [
      { action: 'grow', topic: raw, from: 3, to: 6 },
      { action: 'grow', topic: tasks, from: 4, to: 9 },
    ]);
    assert.deepEqual(
      after.map(({ partitions }) => partitions),
      [6, 9, 1],
    );
    assert.equal((await kafka.offsetBounds(tasks)).size, 9);
  });

  it('takes no partition away, and does the rest', async () => {
    const { raw, tasks, names, run, text } = deployment();
    await run('apply');
    const fewer = { rawPartitions: 2, count: 8 };
    const { code, applied, topics: planned } = await run('apply', fewer);
    assert.deepEqual([code, applied], [0, true]);
    assert.match(planned[0]!.warnings.join(), /it has 3 partitions and 2 are configured: it keeps them/);
    const { topics: left } = await topics.read(names);
    assert.deepEqual([left.get(raw)!.partitions, left.get(tasks)!.partitions], [3, 8]);
    const shown = await text('plan', fewer);
    assert.equal(shown.code, 0);
    assert.match(shown.stdout, new RegExp(`^note: ${raw}: it has 3 partitions`, 'm'));
  });

  it('the defaults of a configuration leave topics that exist as they are', async () => {
    const { raw, tasks, dead, names, run } = deployment();
    const own = { 'retention.ms': '604800000', 'cleanup.policy': 'compact,delete' };
    const shape = { partitions: 2, replicationFactor: 1 };
    for (const topic of names) await topics.create({ topic, ...shape, settings: own });
    await topics.waitUntilUsable(new Map(names.map((topic) => [topic, 2])), 30_000);
    const unsaid = { rawPartitions: undefined, retention: undefined, count: 2 };
    const { code, changes, stderr } = await run('apply', unsaid, ['--allow-shrink']);
    assert.equal(code, 0, stderr);
    // What Penstock needs is there; it takes nothing away.
    assert.ok(
      changes.every((each) => each.action === 'alter' && each.settings.every((set) => !set.takes_records)),
    );
    const kept = { ...own };
    assert.deepEqual(await setOnTopic(raw), sorted(kept));
    assert.deepEqual(await setOnTopic(tasks), sorted(kept));
    const size = String(1_048_588 + 65_536);
    assert.deepEqual(await setOnTopic(dead), sorted({ ...kept, 'max.message.bytes': size }));
    const { topics: left } = await topics.read(names);
    assert.deepEqual(
      names.map((name) => left.get(name)!.partitions),
      [2, 2, 2],
    );
  });

  it('shrinks nothing without --allow-shrink, and says what it would take', async () => {
    const { raw, tasks, names, run, text } = deployment();
    await run('apply', { retention: '7d' });
    const written = Date.now() - 3 * 86_400_000;
    const producer = new PlainProducer(
      new KafkaConnection(kafkaOptions.parse({ brokers: cluster.brokers }), createLog('silent', 'test')),
    );
    await producer.send([
      { topic: raw, partition: 1, key: null, value: Buffer.from('x'), headers: {}, timestamp: written },
    ]);
    await producer.close();

    const less = { retention: '1h', count: 8 };
    const refused = await run('apply', less);
    assert.deepEqual([refused.code, refused.applied], [1, false]);
    const { topics: before } = await topics.read(names);
    assert.equal(before.get(raw)!.settings.get('retention.ms'), '604800000');
    assert.equal(before.get(tasks)!.partitions, 4, 'a plan with a refusal is not begun');
    const said = /records older than 1h will be deleted: the oldest now is from (\S+Z);/.exec(
      refused.topics[0]!.refusals.join(),
    );
    assert.ok(said !== null, refused.topics[0]!.refusals.join());
    assert.ok(Math.abs(Date.parse(said[1]!) - written) < 2000, said[1]);
    assert.match((await text('plan', less)).stdout, /refused: .*--allow-shrink/s);

    const allowed = await run('apply', less, ['--allow-shrink']);
    assert.deepEqual([allowed.code, allowed.applied], [0, true], allowed.stderr);
    const { topics: after } = await topics.read(names);
    assert.equal(after.get(raw)!.settings.get('retention.ms'), '3600000');
  });

  it('says what the cluster refuses', async () => {
    const { raw, run } = deployment();
    const { code, stderr } = await run('apply', { replicationFactor: 101 });
    assert.equal(code, 1);
    assert.match(stderr, new RegExp(`^penstock topics: topic ${raw} cannot be created .* 101 replicas: .+`));
    assert.doesNotMatch(stderr, /\n +at /);
  });

  it('says when Kafka does not answer', async () => {
    const { run } = deployment([`127.0.0.1:${await freePort()}`]);
    const { code, stderr } = await run('plan');
    assert.equal(code, 1);
    // Before it, where this takes longer, that it is still being tried.
    assert.match(stderr, /(^|\n)penstock topics: Kafka \(127\.0\.0\.1:\d+\): .*is it running.*\n$/);
  });

  /** What is set on the topic itself. */
  async function setOnTopic(topic: string): Promise<Record<string, string>> {
    const admin = await kafka.client();
    const { resources } = await admin.describeConfigs({
      includeSynonyms: false,
      resources: [{ type: TOPIC, name: topic }],
    });
    const own = resources[0]!.configEntries.filter(({ configSource }) => Number(configSource) === 1);
    return sorted(Object.fromEntries(own.map(({ configName, configValue }) => [configName, configValue])));
  }
});

function sorted(settings: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(settings).sort(([a], [b]) => (a < b ? -1 : 1)));
}
