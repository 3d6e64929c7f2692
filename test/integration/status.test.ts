import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { createOwnership } from '../../src/core/hash/ownership.ts';
import type { DeploymentStatus } from '../../src/services/status/deployment.ts';
import { Deployment } from '../lab/deployment/deployment.ts';
import { runPenstock } from '../lab/deployment/penstock.ts';
import { freePort } from '../lab/ports.ts';
import { poll } from '../lab/process.ts';
import { startKafka } from '../lab/servers/kafka.ts';
import { closeAfterTests } from '../support/closing.ts';

const COUNT = 8;
const NODES = ['node-a', 'node-b'];

function only<T>(list: readonly T[]): T {
  assert.equal(list.length, 1);
  return list[0]!;
}

type Status = DeploymentStatus & {
  processes?: { url: string; status?: { command: string; phase: string }; error?: string }[];
};

const kafka = await startKafka();
const deployment = await Deployment.create({
  brokers: kafka.brokers,
  rawPartitions: 4,
  routes: [{ name: 'r', task: { labels: ['service'], count: COUNT } }],
  // Nothing listens there: what is written for a node stays as lag.
  nodes: await Promise.all(
    NODES.map(async (name) => ({ name, url: `http://127.0.0.1:${await freePort()}/api/v1/write` })),
  ),
});
closeAfterTests(deployment, kafka);

describe('penstock status on a real Kafka', () => {
  async function status(args: string[] = []): Promise<Status> {
    const { code, stdout, stderr } = await runPenstock(['status', '--json', '--look-again', '0', ...args], {
      configFile: deployment.configFile,
    });
    assert.equal(code, 0, stderr);
    return JSON.parse(stdout);
  }

  const tasksOf = (node: string) =>
    createOwnership([{ topic: deployment.topic('r'), count: COUNT }], NODES, 'balanced').tasksOf(
      deployment.topic('r'),
      node,
      0,
    );

  it('before anything runs: all is lag, and nobody reads it', async () => {
    await deployment.produce([Buffer.from('no samples'), Buffer.from('nor here')], 1);
    await deployment.produce([Buffer.from('no samples')], 3);
    const { ingest: topics, nodes, problems } = await status();
    const ingest = only(topics);
    assert.deepEqual(
      ingest.partitions.map(({ lag, member }) => [lag, member]),
      [
        [0, null],
        [2, null],
        [0, null],
        [1, null],
      ],
    );
    assert.equal(ingest.lag, 3);
    assert.deepEqual(ingest.members, []);
    assert.deepEqual(
      nodes.map(({ node, topics }) => [node, topics[0]!.tasks, topics[0]!.unread]),
      NODES.map((node) => [node, tasksOf(node), tasksOf(node)]),
    );
    assert.match(problems.join('\n'), /^no worker runs/);
  });

  it('shows workers, drains, lag and dead letters of a running deployment', async () => {
    const topic = deployment.topic('r');
    const written = tasksOf('node-b').slice(0, 2);
    await deployment.producer.send(
      written.flatMap((partition) =>
        ['1', '2', '3'].map((value) => ({
          topic,
          partition,
          key: null,
          value: Buffer.from(value),
          headers: {},
          timestamp: Date.now(),
        })),
      ),
    );
    const workers = [await deployment.start(['worker']), await deployment.start(['worker'])];
    await deployment.start(['drain'], { PENSTOCK_DRAIN_NODE: 'node-a' });
    await deployment.workersDone();

    let seen = await status();
    await poll(
      async () => {
        seen = await status();
        const { state, members } = only(seen.ingest);
        return state === 'Stable' && members.every(({ partitions }) => partitions.length === 2);
      },
      {},
      () => new Error(`the workers do not share the partitions: ${JSON.stringify(seen.ingest)}`),
    );
    const { nodes, dead_letters, problems } = seen;
    const ingest = only(seen.ingest);
    assert.equal(ingest.members.length, 2);
    assert.deepEqual(ingest.members.flatMap(({ partitions }) => partitions).sort(), [0, 1, 2, 3]);
    assert.ok(ingest.members.every(({ host }) => /^[\d.:a-f]+$/.test(host)));
    assert.deepEqual([ingest.lag, ingest.unread], [0, []]);
    assert.deepEqual(
      ingest.partitions.map(({ committed }) => committed ?? 0),
      [0, 2, 0, 1],
    );

    const [a, b] = nodes;
    assert.equal(a!.topics[0]!.members.length, 1);
    assert.deepEqual(a!.topics[0]!.members[0]!.partitions, tasksOf('node-a'));
    assert.deepEqual(a!.topics[0]!.unread, []);
    assert.equal(a!.lag, 0);
    assert.deepEqual(b!.topics[0]!.unread, tasksOf('node-b'));
    assert.deepEqual([b!.lag, b!.max_lag], [6, 3]);
    assert.ok(dead_letters.records! >= 3);
    assert.equal(problems.length, 1);
    assert.match(
      problems[0]!,
      new RegExp(`^no drain of node-b runs: nobody reads its ${tasksOf('node-b').length} partitions`),
    );

    const gone = `http://127.0.0.1:${await freePort()}`;
    const { processes } = await status(['--admin', workers[0]!.admin, '--admin', gone]);
    assert.deepEqual([processes![0]!.status!.command, processes![0]!.status!.phase], ['worker', 'running']);
    assert.match(processes![1]!.error!, /^does not answer: /);

    const { code, stdout } = await runPenstock(['status', '--admin', workers[0]!.admin], {
      configFile: deployment.configFile,
    });
    assert.equal(code, 0);
    assert.match(stdout, /^INGEST TOPIC +PARTITIONS +LAG +WAITS +STUCK +UNREAD\n\S+ +4 +0 +- +- +-\n/);
    assert.match(stdout, /^workers, group .*: Stable$/m);
    assert.match(stdout, /^penstock +127\.0\.0\.1 +\d\S+ +0$/m);
    assert.match(stdout, /^node-b +r +[\d,-]+ +6 +3 +\d+ \w+ +- +all +none$/m);
    assert.match(stdout, /^dead letters in .*: up to \d+ kept/m);
    assert.match(stdout, /^! no drain of node-b runs/m);
  });
});
