import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { test } from 'node:test';
import '../../../../../src/io/kafka/patch/load.ts';
import { type CommitRefusal, commitRefusals } from '../../../../../src/io/kafka/patch/partition-errors.ts';

interface Format {
  parse(answer: object): Promise<object>;
}

const require = createRequire(import.meta.url);
const metadata: Format = require('kafkajs/src/protocol/requests/metadata/v6/response');
const fetch: Format = require('kafkajs/src/protocol/requests/fetch/v11/response');

const OFFSET_METADATA_TOO_LARGE = 12;
const produce: Format = require('kafkajs/src/protocol/requests/produce/v7/response');
const addPartitions: Format = require('kafkajs/src/protocol/requests/addPartitionsToTxn/v1/response');

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const INVALID_TOPIC = 17;
const TOPIC_AUTHORIZATION_FAILED = 29;
const OPERATION_NOT_ATTEMPTED = 55;
const LEADER_NOT_AVAILABLE = 5;
const BROKER_NOT_AVAILABLE = 8;

function topic(name: string, topicErrorCode: number, ...partitionErrorCodes: number[]) {
  const partitionMetadata = partitionErrorCodes.map((partitionErrorCode, partitionId) => ({
    partitionErrorCode,
    partitionId,
    leader: partitionErrorCode === 0 ? 1 : -1,
  }));
  return { topic: name, topicErrorCode, partitionMetadata };
}

test('metadata with a partition that has no leader is an answer', async () => {
  const answer = { brokers: [], topicMetadata: [topic('a', 0, 0, LEADER_NOT_AVAILABLE), topic('b', 0, 0)] };
  assert.deepEqual(await metadata.parse(answer), answer);
});

test('metadata of topics that are not there, or not for this user, are an answer, and say which', async () => {
  const topicMetadata = [
    topic('a', 0, 0),
    topic('b', UNKNOWN_TOPIC_OR_PARTITION),
    topic('c', TOPIC_AUTHORIZATION_FAILED),
  ];
  assert.deepEqual(await metadata.parse({ brokers: [], topicMetadata }), { brokers: [], topicMetadata });
});

test('other errors of metadata are thrown, and a topic is named', async () => {
  const faulty = { brokers: [], topicMetadata: [topic('a', 0, 0, BROKER_NOT_AVAILABLE)] };
  await assert.rejects(metadata.parse(faulty), { type: 'BROKER_NOT_AVAILABLE' });
  const invalid = { brokers: [], topicMetadata: [topic('a', 0, 0), topic('b', INVALID_TOPIC)] };
  await assert.rejects(metadata.parse(invalid), { type: 'INVALID_TOPIC_EXCEPTION', topic: 'b' });
});

test('errors of a transaction and of records that are written name topic and partition', async () => {
  const faulty = { partition: 4, errorCode: TOPIC_AUTHORIZATION_FAILED };
  const topics = [
    { topicName: 'a', partitions: [{ partition: 0, errorCode: 0 }] },
    { topicName: 'b', partitions: [faulty] },
  ];
  const named = { type: 'TOPIC_AUTHORIZATION_FAILED', topic: 'b', partition: 4 };
  await assert.rejects(produce.parse({ topics }), named);
  // The others were not tried for that reason.
  const errors = [
    { topic: 'a', partitionErrors: [{ partition: 0, errorCode: OPERATION_NOT_ATTEMPTED }] },
    { topic: 'b', partitionErrors: [faulty] },
  ];
  await assert.rejects(addPartitions.parse({ errors }), named);
});

test('an error of a fetch names its topic and partition', async () => {
  const partitions = [
    { partition: 0, errorCode: 0 },
    { partition: 4, errorCode: UNKNOWN_TOPIC_OR_PARTITION },
  ];
  const answer = {
    errorCode: 0,
    responses: [
      { topicName: 'a', partitions: [] },
      { topicName: 'b', partitions },
    ],
  };
  await assert.rejects(fetch.parse(answer), { type: 'UNKNOWN_TOPIC_OR_PARTITION', topic: 'b', partition: 4 });
});

test('an error of a commit says which partitions it is about, in every version', async () => {
  const partitions = (...codes: number[]) => codes.map((errorCode, partition) => ({ partition, errorCode }));
  const responses = [
    { topic: 'a', partitions: partitions(0, OFFSET_METADATA_TOO_LARGE) },
    { topic: 'b', partitions: partitions(UNKNOWN_TOPIC_OR_PARTITION, 0) },
  ];
  for (const version of [0, 1, 2, 3, 4, 5]) {
    const commit: Format = require(`kafkajs/src/protocol/requests/offsetCommit/v${version}/response`);
    await assert.rejects(commit.parse({ responses }), (error: Error) => {
      assert.deepEqual(
        commitRefusals(error)?.map((refusal: CommitRefusal) => [
          refusal.topic,
          refusal.partition,
          (refusal.error as Error & { type?: string }).type,
        ]),
        [
          ['a', 1, 'OFFSET_METADATA_TOO_LARGE'],
          ['b', 0, 'UNKNOWN_TOPIC_OR_PARTITION'],
        ],
      );
      return true;
    });
    assert.deepEqual(await commit.parse({ responses: [] }), { responses: [] });
  }
});
