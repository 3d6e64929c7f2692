import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import type { ClusterTopics, TopicState } from '../../../src/kafka/topic-admin.ts';
import { planTopics } from '../../../src/topics/plan.ts';
import { type TopicSetup, wantedTopics } from '../../../src/topics/wanted.ts';
import { topicsOptions } from '../../../src/topics-options.ts';

function setup(topics: object = {}, routes: TopicSetup['routes'] = [route('http', 32)]): TopicSetup {
  return { topics: topicsOptions.parse(topics), ingest: { topics: ['raw'], deadTopic: 'dead' }, routes };
}

function route(name: string, count: number, partitions = count): TopicSetup['routes'][number] {
  return { name, topic: `tasks.${name}`, partitions, task: { count } };
}

const AS_CREATED = {
  'cleanup.policy': 'delete',
  'message.timestamp.type': 'CreateTime',
  'retention.ms': '86400000',
  'max.message.bytes': '1048588',
  'compression.type': 'producer',
  'min.insync.replicas': '1',
};

/** Of a task topic: what the ingest topic has taken it takes too. */
const ANY_TIME = {
  'message.timestamp.before.max.ms': '9223372036854775807',
  'message.timestamp.after.max.ms': '9223372036854775807',
};

function state(partitions: number, settings: object = {}, replicationFactor = 3): TopicState {
  return { partitions, replicationFactor, settings: new Map(Object.entries({ ...AS_CREATED, ...settings })) };
}

/** A cluster that has what the default setup needs, and what `topics` says instead. */
function cluster(
  topics: Record<string, TopicState | undefined> = {},
  defaultMaxMessageBytes = 1_048_588,
): ClusterTopics {
  const all = {
    raw: state(12),
    'tasks.http': state(32, { 'max.message.bytes': '4194304', ...ANY_TIME }),
    dead: state(1, { 'retention.ms': '1209600000', 'max.message.bytes': '4259840' }),
    ...topics,
  };
  const existing = Object.entries(all).filter(
    (entry): entry is [string, TopicState] => entry[1] !== undefined,
  );
  return { topics: new Map(existing), defaultMaxMessageBytes };
}

function plan(from: TopicSetup, seen: ClusterTopics) {
  return planTopics(wantedTopics(from), seen);
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
      'message.timestamp.type': 'CreateTime',
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
        create('raw', 12, { 'retention.ms': '86400000' }),
        create('tasks.http', 32, { 'retention.ms': '86400000', 'max.message.bytes': '4194304', ...ANY_TIME }),
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

  it('refuses fewer partitions, and names the key to set', () => {
    const found = plan(setup({ raw: { partitions: 6 } }, [route('http', 16)]), cluster({ dead: state(4) }));
    assert.deepEqual(
      found.map(({ refusals }) =>
        refusals.map((text) => /^it has .* are configured.*set (.*)$/.exec(text)?.[1]),
      ),
      [['topics.raw.partitions to 12'], ['partitions of route http to 32'], ['topics.dead.partitions to 4']],
    );
    assert.ok(
      found.every(({ changes }) => changes.every(({ action }) => action !== 'create' && action !== 'grow')),
    );
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

  it('alters only the settings that are not as needed', () => {
    const [raw, tasks] = plan(
      setup(),
      cluster({
        raw: state(12, { 'message.timestamp.type': 'LogAppendTime', 'cleanup.policy': 'compact' }),
        'tasks.http': state(32, {
          'retention.ms': '3600000',
          'max.message.bytes': '8388608',
          ...ANY_TIME,
          'message.timestamp.after.max.ms': '3600000',
        }),
      }),
    );
    assert.deepEqual(raw!.changes, [
      {
        action: 'alter',
        topic: 'raw',
        settings: [
          { name: 'cleanup.policy', from: 'compact', to: 'delete' },
          { name: 'message.timestamp.type', from: 'LogAppendTime', to: 'CreateTime' },
        ],
      },
    ]);
    assert.deepEqual(tasks!.changes, [
      {
        action: 'alter',
        topic: 'tasks.http',
        settings: [
          { name: 'retention.ms', from: '3600000', to: '86400000' },
          { name: 'message.timestamp.after.max.ms', from: '3600000', to: '9223372036854775807' },
          { name: 'max.message.bytes', from: '8388608', to: '4194304' },
        ],
      },
    ]);
  });

  it('a topic may grow and be altered at once', () => {
    const [raw] = plan(setup({ raw: { partitions: 24, retention: '1h' } }), cluster());
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
  assert.equal(found[1]!.warnings.length, 2);
});
