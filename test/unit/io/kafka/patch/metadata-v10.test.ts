import assert from 'node:assert/strict';
import { test } from 'node:test';
import { internals } from '../../../../../src/io/kafka/patch/load.ts';
import { topicIdOf } from '../../../../../src/io/kafka/patch/metadata-v10.ts';

interface Definition {
  readonly request: { readonly apiVersion: number; encode(): Promise<{ readonly buffer: Buffer }> };
  readonly response: {
    decode(data: Buffer): Promise<Answer>;
    parse(answer: Answer): Promise<Answer>;
  };
}
interface Answer {
  readonly brokers: readonly object[];
  readonly topicMetadata: readonly {
    readonly topic: string;
    readonly topicErrorCode: number;
    readonly partitionMetadata: object;
  }[];
}
interface Definitions {
  protocol(options: { version: number }): (args: object) => Definition;
}

const metadata = internals.requests['Metadata'] as unknown as Definitions;
const definition = (topics: string[]) =>
  metadata.protocol({ version: 10 })({ topics, allowAutoTopicCreation: false });

const ID = Buffer.from('00112233445566778899aabbccddeeff', 'hex');
const int16 = (value: number) => Buffer.from([value >> 8, value & 0xff]);
const int32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
/** Of the flexible versions: a length of one more than there is, and no tagged fields. */
const text = (value: string) => Buffer.concat([Buffer.from([value.length + 1]), Buffer.from(value)]);
const list = (...items: Buffer[]) => Buffer.concat([Buffer.from([items.length + 1]), ...items]);
const NO_TAGS = Buffer.from([0]);
const NULL = Buffer.from([0]);

function topic(name: string, id: Buffer, errorCode = 0): Buffer {
  const nodes = list(int32(1), int32(2));
  const partition = [int16(0), int32(7), int32(1), int32(4), nodes, nodes, list(), NO_TAGS];
  const partitions = list(...(errorCode === 0 ? [Buffer.concat(partition)] : []));
  return Buffer.concat([int16(errorCode), text(name), id, NULL, partitions, int32(-1), NO_TAGS]);
}

function answer(...topics: Buffer[]): Buffer {
  const broker = Buffer.concat([int32(1), text('host'), int32(9092), NULL, NO_TAGS]);
  return Buffer.concat([
    NO_TAGS,
    int32(3),
    list(broker),
    text('cluster'),
    int32(1),
    list(...topics),
    int32(-1),
    NO_TAGS,
  ]);
}

test('topics are asked for by name, with no id; without any all are', async () => {
  const { request } = definition(['raw']);
  assert.equal(request.apiVersion, 10);
  const asked = Buffer.concat([NO_TAGS, list(Buffer.concat([Buffer.alloc(16), text('raw'), NO_TAGS]))]);
  assert.deepEqual((await request.encode()).buffer, Buffer.concat([asked, Buffer.from([0, 0, 0, 0])]));
  const all = await definition([]).request.encode();
  assert.deepEqual(all.buffer, Buffer.from([0, 0, 0, 0, 0, 0]));
});

test('an answer is as kafkajs has it, with the ids of topics', async () => {
  const { response } = definition(['raw']);
  const decoded = await response.parse(
    await response.decode(answer(topic('raw', ID), topic('old', Buffer.alloc(16)))),
  );
  const partition = {
    partitionErrorCode: 0,
    partitionId: 7,
    leader: 1,
    replicas: [1, 2],
    isr: [1, 2],
    offlineReplicas: [],
  };
  const topicId = ID.toString('base64url');
  const common = { topicErrorCode: 0, isInternal: false, partitionMetadata: [partition] };
  assert.deepEqual(decoded, {
    throttleTime: 0,
    clientSideThrottleTime: 3,
    brokers: [{ nodeId: 1, host: 'host', port: 9092, rack: null }],
    clusterId: 'cluster',
    controllerId: 1,
    topicMetadata: [
      { ...common, topic: 'raw', topicId },
      { ...common, topic: 'old', topicId: undefined },
    ],
  });
  assert.deepEqual(
    decoded.topicMetadata.map(({ partitionMetadata }) => topicIdOf(partitionMetadata)),
    [topicId, undefined],
  );
});

test('a topic that does not exist is said to be so, beside those that do; another error names its topic', async () => {
  const { response } = definition(['gone', 'raw']);
  const gone = topic('gone', Buffer.alloc(16), 3);
  const { topicMetadata } = await response.parse(await response.decode(answer(gone, topic('raw', ID))));
  const codes = topicMetadata.map((each) => [each.topic, each.topicErrorCode]);
  assert.deepEqual(codes, [
    ['gone', 3],
    ['raw', 0],
  ]);
  const invalid = await response.decode(answer(topic('raw', ID), topic('no topic', Buffer.alloc(16), 17)));
  await assert.rejects(response.parse(invalid), { type: 'INVALID_TOPIC_EXCEPTION', topic: 'no topic' });
});

test('of brokers that are older the original versions are asked', () => {
  for (const version of [7, 9]) {
    const args = { topics: ['raw'], allowAutoTopicCreation: false };
    assert.equal(metadata.protocol({ version })(args).request.apiVersion, 6);
  }
});
