import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { valueAt } from '../../../../src/app/config/problem.ts';
import type { ClusterTopics, TopicState } from '../../../../src/io/kafka/admin/topic-admin.ts';
import { topicsOptions } from '../../../../src/services/topics/options.ts';
import { type PlanOptions, planTopics } from '../../../../src/services/topics/plan.ts';
import { type TopicSetup, wantedTopics } from '../../../../src/services/topics/wanted.ts';

function setup(topics: object = {}, routes: TopicSetup['routes'] = [route('http', 32)]): TopicSetup {
  return {
    topics: topicsOptions.parse(topics),
    ingest: { topics: ['raw'], deadTopic: 'dead' },
    routes,
    isGiven: (path) => valueAt({ topics }, path) !== undefined,
  };
}

function route(name: string, count: number, partitions = count): TopicSetup['routes'][number] {
  return { name, topic: `tasks.${name}`, partitions, task: { count } };
}

const AS_CREATED = {
  'cleanup.policy': 'delete',
  'message.timestamp.type': 'LogAppendTime',
  'retention.ms': '86400000',
  'max.message.bytes': '1048588',
  'compression.type': 'producer',
  'min.insync.replicas': '1',
};

function state(partitions: number, settings: object = {}, replicationFactor = 3): TopicState {
  return { partitions, replicationFactor, settings: new Map(Object.entries({ ...AS_CREATED, ...settings })) };
}

/** A cluster that has what the default setup needs, and what `topics` says instead. */
function cluster(
  topics: Record<string, TopicState | undefined> = {},
  defaultMaxMessageBytes = 1_048_588,
  offsetsRetentionMs = 7 * 86_400_000,
): ClusterTopics {
  const all = {
    raw: state(12, { 'message.timestamp.type': 'CreateTime' }),
    'tasks.http': state(32, { 'max.message.bytes': '4194304' }),
    dead: state(1, { 'retention.ms': '1209600000', 'max.message.bytes': '4259840' }),
    ...topics,
  };
  const existing = Object.entries(all).filter(
    (entry): entry is [string, TopicState] => entry[1] !== undefined,
  );
  return { topics: new Map(existing), defaultMaxMessageBytes, offsetsRetentionMs };
}

function plan(from: TopicSetup, seen: ClusterTopics, options: PlanOptions = {}) {
  return planTopics(wantedTopics(from), seen, options);
}

const EMPTY = { raw: undefined, 'tasks.http': undefined, dead: undefined };

describe('topics plan', () => {
  it('has nothing to do where the cluster has what is needed', () => {
    const found = plan(setup(), cluster());
    assert.deepEqual(
      found.map(({ topic, purpose, changes, warnings, refusals }) => [
        topic,
        purpose,
        changes,
        warnings,
        refusals,
      ]),
      [
        ['raw', 'ingest', [], [], []],
        ['tasks.http', 'tasks', [], [], []],
        ['dead', 'dead', [], [], []],
      ],
    );
  });

  it('creates what is missing, with every setting that matters', () => {
    const found = plan(setup({ replication_factor: 3, min_insync_replicas: 2 }), cluster(EMPTY));
    const shared = {
      'cleanup.policy': 'delete',
      'message.timestamp.type': 'LogAppendTime',
      'min.insync.replicas': '2',
    };
    const create = (topic: string, partitions: number, settings: object) => ({
      action: 'create',
      topic,
      partitions,
      replication_factor: 3,
      settings: { ...shared, ...settings },
    });
    assert.deepEqual(
      found.flatMap(({ changes }) => changes),
      [
        create('raw', 12, { 'retention.ms': '86400000', 'message.timestamp.type': 'CreateTime' }),
        create('tasks.http', 32, { 'retention.ms': '86400000', 'max.message.bytes': '4194304' }),
        create('dead', 1, { 'retention.ms': '1209600000', 'max.message.bytes': String(4_194_304 + 65_536) }),
      ],
    );
    assert.ok(found.every(({ partitions, refusals }) => partitions === undefined && refusals.length === 0));
  });

  it("leaves replicas and in-sync replicas to the broker's defaults", () => {
    const [raw] = plan(setup(), cluster(EMPTY));
    const [create] = raw!.changes;
    assert.ok(create?.action === 'create');
    assert.equal(create.replication_factor, 0);
    assert.equal(create.settings['min.insync.replicas'], undefined);
  });

  it('grows partitions, and says what that means for order', () => {
    const [raw, tasks] = plan(setup({ raw: { partitions: 24 } }), cluster());
    assert.deepEqual(raw!.changes, [{ action: 'grow', topic: 'raw', from: 12, to: 24 }]);
    assert.match(raw!.warnings.join(), /a key may go to another one/);
    assert.deepEqual(tasks!.changes, []);
  });

  it('partitions of a task topic beyond the count grow without a warning; a grown count moves groups', () => {
    const beyond = plan(setup({}, [route('http', 32, 64)]), cluster())[1]!;
    assert.deepEqual(beyond.changes, [{ action: 'grow', topic: 'tasks.http', from: 32, to: 64 }]);
    assert.deepEqual(beyond.warnings, []);

    const grown = plan(setup({}, [route('http', 64)]), cluster())[1]!;
    assert.deepEqual(grown.changes, [{ action: 'grow', topic: 'tasks.http', from: 32, to: 64 }]);
    assert.match(grown.warnings.join(), /route http has 64 tasks.*moves groups.*--simulate count=64/);
  });

  it('more partitions than configured are kept, with a note that says what is read', () => {
    const found = plan(
      setup({ raw: { partitions: 6 }, dead: { partitions: 2 } }, [route('http', 16)]),
      cluster({ dead: state(4, { 'retention.ms': '1209600000', 'max.message.bytes': '4259840' }) }),
    );
    assert.deepEqual(
      found.map(({ changes, refusals }) => [changes, refusals]),
      [
        [[], []],
        [[], []],
        [[], []],
      ],
    );
    const [raw, tasks, dead] = found.map(({ warnings }) => warnings.join());
    assert.match(raw!, /12 partitions and 6 are configured: it keeps them, all are read and nothing is lost/);
    assert.match(tasks!, /Partitions from 16 on belong to no task: records that a larger task.count/);
    assert.match(dead!, /4 partitions and 2 are configured: it keeps them/);
  });

  it('refuses more in-sync replicas than there are replicas, since no write would succeed', () => {
    const [raw] = plan(setup({ min_insync_replicas: 2 }), cluster({ raw: state(12, {}, 1) }));
    assert.match(raw!.refusals.join(), /1 replicas, so 2 in sync can never be met/);
  });

  it('does not move replicas, and says so', () => {
    const [raw] = plan(setup({ replication_factor: 3 }), cluster({ raw: state(12, {}, 2) }));
    assert.deepEqual(raw!.changes, []);
    assert.match(raw!.warnings.join(), /has 2 replicas and 3 are configured/);
  });

  it('a default alters nothing on a topic that exists, in no direction', () => {
    const found = plan(
      setup(),
      cluster({
        raw: state(3, {
          'retention.ms': '604800000',
          'message.timestamp.type': 'LogAppendTime',
          'cleanup.policy': 'compact,delete',
        }),
        'tasks.http': state(32, { 'retention.ms': '3600000', 'max.message.bytes': '8388608' }),
        dead: state(2, { 'retention.ms': '-1', 'max.message.bytes': '16777216' }),
      }),
      { allowShrink: true },
    );
    assert.deepEqual(
      found.map(({ changes, refusals, target }) => [changes, refusals, target]),
      [
        [[], [], 3],
        [[], [], 32],
        [[], [], 2],
      ],
    );
    const [raw, tasks, dead] = found.map(({ warnings }) => warnings.join());
    assert.match(raw!, /retention\.ms stays 604800000 \(7d\): topics\.raw\.retention is not configured/);
    assert.match(raw!, /cleanup\.policy is compact,delete: compaction takes records/);
    assert.match(tasks!, /max\.message\.bytes stays 8388608/);
    assert.match(dead!, /retention\.ms stays -1 \(for ever\)/);
  });

  it('alters what Penstock needs, only to more', () => {
    const [, , dead] = plan(
      setup(),
      cluster({
        dead: state(1, { 'max.message.bytes': '1000' }),
      }),
    );
    assert.deepEqual(dead!.changes, [
      {
        action: 'alter',
        topic: 'dead',
        settings: [
          {
            name: 'max.message.bytes',
            from: '1000',
            to: String(4_194_304 + 65_536),
            means: 'larger records are taken; readers need memory for them',
            takes_records: false,
          },
        ],
      },
    ]);
  });

  const shrinking = [
    [
      'retention.ms of the ingest topic',
      'raw',
      { raw: { retention: '1h' } },
      /older than 1h will be deleted/,
    ],
    ['retention.ms of task topics', 'tasks.http', { tasks: { retention: '1h' } }, /older than 1h/],
    ['retention.ms of dead letters', 'dead', { dead: { retention: '13d' } }, /older than 13d/],
    [
      'the largest record of task topics',
      'tasks.http',
      { tasks: { max_message_bytes: '1MiB' } },
      /larger ones than 1048576 bytes are refused/,
    ],
  ] as const;
  for (const [what, topic, topics, means] of shrinking) {
    it(`refuses to shrink ${what} without --allow-shrink, though the file says it`, () => {
      const of = (options: PlanOptions) =>
        plan(setup(topics), cluster(), options).find((each) => each.topic === topic)!;
      const refused = of({});
      assert.equal(refused.refusals.length, 1);
      assert.match(refused.refusals[0]!, means);
      assert.match(refused.refusals[0]!, /give --allow-shrink if that is meant, else change topics\./);
      const allowed = of({ allowShrink: true });
      assert.deepEqual(allowed.refusals, []);
      assert.equal(allowed.changes.length, 1);
      const [change] = allowed.changes;
      assert.ok(change?.action === 'alter' && change.settings[0]!.takes_records);
    });
  }

  it('says of when the oldest record is that a shorter retention would take', () => {
    const contents = new Map([['raw', { oldestMs: Date.parse('2026-11-23T08:00:00Z') }]]);
    const [raw] = plan(setup({ raw: { retention: '1h' } }), cluster(), { contents });
    assert.match(raw!.refusals.join(), /will be deleted: the oldest now is from 2026-11-23T08:00:00.000Z;/);
  });

  it('longer retention needs no permission; -1 is the longest', () => {
    const of = (has: string) =>
      plan(setup({ raw: { retention: '48h' } }), cluster({ raw: state(12, { 'retention.ms': has }) }))[0]!;
    assert.deepEqual(of('86400000').refusals, []);
    assert.equal(of('86400000').changes.length, 1);
    assert.match(of('-1').refusals.join(), /retention\.ms is -1 and 172800000 is configured/);
  });

  it('a topic may grow and be altered at once', () => {
    const [raw] = plan(setup({ raw: { partitions: 24, retention: '48h' } }), cluster());
    assert.deepEqual(
      raw!.changes.map(({ action }) => action),
      ['grow', 'alter'],
    );
  });
});

describe('the dead-letter topic', () => {
  const sizeOf = (from: TopicSetup, seen: ClusterTopics) => {
    const change = plan(from, seen).at(-1)!.changes[0];
    if (change?.action === 'create') return change.settings['max.message.bytes'];
    return change?.action === 'alter'
      ? change.settings.find(({ name }) => name === 'max.message.bytes')?.to
      : undefined;
  };
  const small = setup({ tasks: { max_message_bytes: 1000 } });

  it('takes the largest record of the ingest topic and its headers', () => {
    const raw = state(12, { 'max.message.bytes': '10000000' });
    assert.equal(sizeOf(small, cluster({ raw })), String(10_000_000 + 65_536));
    assert.equal(sizeOf(small, cluster({ raw, dead: undefined })), String(10_000_000 + 65_536));
  });

  it("goes by the broker's default while the ingest topic does not exist", () => {
    assert.equal(sizeOf(small, cluster(EMPTY, 2_000_000)), String(2_000_000 + 65_536));
  });

  it('takes the largest record of a task topic too: drains write dead letters', () => {
    assert.equal(
      sizeOf(setup({ tasks: { max_message_bytes: '16MiB' } }), cluster()),
      String(16 * 2 ** 20 + 65_536),
    );
  });

  it('may take more than that', () => {
    const dead = state(1, { 'retention.ms': '1209600000', 'max.message.bytes': '99999999' });
    assert.deepEqual(plan(setup(), cluster({ dead })).at(-1)!.changes, []);
  });

  it("stays within Kafka's largest number", () => {
    const raw = state(12, { 'max.message.bytes': '2147483647' });
    assert.equal(sizeOf(small, cluster({ raw })), '2147483647');
  });
});

it('routes that share a task topic share its plan', () => {
  const shared = [route('a', 8), { ...route('b', 8), topic: 'tasks.a' }];
  const found = plan(setup({}, shared), cluster({ 'tasks.a': state(4) }));
  assert.deepEqual(
    found.map(({ topic }) => topic),
    ['raw', 'tasks.a', 'dead'],
  );
  assert.equal(found[1]!.warnings.filter((text) => /growing task.count/.test(text)).length, 2);
});
