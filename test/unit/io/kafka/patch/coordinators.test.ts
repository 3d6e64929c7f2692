import assert from 'node:assert/strict';
import { test } from 'node:test';
import { transactionError, withKnownCoordinators } from '../../../../../src/io/kafka/patch/coordinators.ts';

interface State {
  node: string;
  fails?: boolean;
  /** Whether the last transaction has not ended. */
  unsettled?: boolean;
  /** The brokers that can be reached; all unless told. */
  reachable?: string[];
}

/** A cluster whose coordinator is `node` at each moment, and what it was asked. */
function clusterOf(state: State) {
  const asked: string[] = [];
  const broker = (nodeId: string) => {
    const answer = (name: string) => async () => {
      asked.push(`${name} of ${nodeId}`);
      if (state.fails) throw new Error('no');
      if (state.unsettled) throw Object.assign(new Error('later'), { type: 'CONCURRENT_TRANSACTIONS' });
      if (nodeId !== state.node)
        throw Object.assign(new Error('not I'), { type: 'NOT_COORDINATOR_FOR_GROUP' });
    };
    return {
      nodeId,
      brokerAddress: `kafka-${nodeId}:9092`,
      versions: { 28: { maxVersion: 3 } },
      initProducerId: answer('init'),
      addPartitionsToTxn: answer('partitions'),
      addOffsetsToTxn: answer('offsets'),
      txnOffsetCommit: answer('commit'),
      endTxn: answer('end'),
    };
  };
  const cluster = withKnownCoordinators({
    retry: {},
    findGroupCoordinator: async ({ groupId }) => {
      asked.push(`who coordinates ${groupId}`);
      return broker(state.node);
    },
    findBroker: async ({ nodeId }) => {
      if (state.reachable?.includes(nodeId) === false) throw new Error(`${nodeId} is gone`);
      return broker(nodeId);
    },
    refreshMetadataIfNecessary: async () => undefined,
    findControllerBroker: async () => undefined,
  });
  const find = (groupId = 'g', coordinatorType = 1) =>
    cluster.findGroupCoordinator({ groupId, coordinatorType });
  return { asked, find };
}

test('a coordinator is looked up once, each kind of each id for itself', async () => {
  const { asked, find } = clusterOf({ node: '1' });
  await (await find()).addPartitionsToTxn({});
  await (await find()).endTxn({});
  await (await find('g', 0)).txnOffsetCommit({});
  await (await find('h')).endTxn({});
  assert.deepEqual(asked, [
    'who coordinates g',
    'partitions of 1',
    'end of 1',
    'who coordinates g',
    'commit of 1',
    'who coordinates h',
    'end of 1',
  ]);
});

const REQUESTS = [
  'initProducerId',
  'addPartitionsToTxn',
  'addOffsetsToTxn',
  'txnOffsetCommit',
  'endTxn',
] as const;

test('after an error it is looked up again', async () => {
  const state = { node: '1', fails: true };
  const { asked, find } = clusterOf(state);
  for (const request of REQUESTS) {
    asked.length = 0;
    await assert.rejects(async () => (await find())[request]({}), /no/);
    assert.equal(asked[0], 'who coordinates g', request);
  }
  state.fails = false;
  state.node = '2';
  asked.length = 0;
  await (await find()).endTxn({});
  assert.deepEqual(asked, ['who coordinates g', 'end of 2']);
});

test('where another broker coordinates by now, the request goes to that one', async () => {
  for (const request of REQUESTS) {
    const state = { node: '1' };
    const { asked, find } = clusterOf(state);
    await find();
    state.node = '2';
    asked.length = 0;
    await (await find())[request]({});
    assert.deepEqual(
      asked.map((each) => each.replace(/^\w+ of/, 'of')),
      ['of 1', 'who coordinates g', 'of 2'],
    );
  }
});

test('a broker that has just been named coordinator and denies it is not asked again', async () => {
  const state = { node: '1' };
  const { asked, find } = clusterOf(state);
  const coordinator = await find();
  state.node = '2';
  await assert.rejects(coordinator.endTxn({}), /not I/);
  assert.deepEqual(asked, ['who coordinates g', 'end of 1']);
});

test('a broker that cannot be reached any more: another one is looked up', async () => {
  const state: State = { node: '1' };
  const { asked, find } = clusterOf(state);
  await find();
  state.node = '2';
  state.reachable = ['2'];
  asked.length = 0;
  await (await find()).endTxn({});
  assert.deepEqual(asked, ['who coordinates g', 'end of 2']);
});

test('a coordinator that does not end a transaction is named, and is asked again', async () => {
  const { asked, find } = clusterOf({ node: '1', unsettled: true });
  for (const request of REQUESTS) {
    const error = await (await find())[request]({}).catch((reason: unknown) => reason);
    assert.match(
      String(transactionError(error, 'g/in/3')),
      /of g\/in\/3: broker 1 \(kafka-1:9092\), which coordinates/,
    );
  }
  assert.equal(asked.filter((each) => each === 'who coordinates g').length, 1);
});
