import { sleep } from '../../src/io/time/sleep.ts';
import { visitTopic } from '../lab/deployment/read-topic.ts';
import { consoleRead } from '../lab/servers/kafka-console.ts';
import { DeliveryCheck, type Troubles } from './check-delivery.ts';
import { RawCheck, roundsBySeries } from './check-raw.ts';
import { checkStorage, type StorageCounts } from './check-storage.ts';
import { TaskCheck } from './check-tasks.ts';
import type { ChaosCluster } from './cluster.ts';
import { PartitionDigests } from './partition-digests.ts';
import { Problems } from './problems.ts';
import type { TrueProducer } from './producer.ts';

export interface Verdict {
  readonly rawRecords: number;
  readonly taskRecords: number;
  /** Records in the task topic that only a read_uncommitted reader sees: of aborted transactions. */
  readonly aborted: number;
  readonly tasks: TaskCheck;
  readonly delivery: DeliveryCheck;
  readonly storage: StorageCounts;
  readonly problems: readonly string[];
}

const READ_TIMEOUT_MS = 10 * 60_000;
/** vmagents send with a delay after they accept. */
const STORAGE_TRIES = 8;
const STORAGE_PAUSE_MS = 3_000;

/**
 * Compares the ingest topic, the task topic, the vmagents and storage with the truth. Call it when nothing is in
 * flight.
 */
export async function verify(
  cluster: ChaosCluster,
  producer: TrueProducer,
  troubles: Troubles,
): Promise<Verdict> {
  const { penstock } = cluster;
  const { startMs } = producer;
  const problems = new Problems();
  const visit = (topic: string, visitor: (partition: number, value: Buffer, offset: string) => void) =>
    visitTopic(
      penstock.connection,
      penstock.admin,
      topic,
      ({ partition, value, offset }) => visitor(partition, value!, offset),
      READ_TIMEOUT_MS,
    );

  const raw = new RawCheck(startMs);
  await visit(penstock.raw, (partition, value) => raw.visit(partition, value));
  raw.finish(producer.acknowledged, problems);

  const tasks = new TaskCheck(startMs, raw.rounds, problems);
  const delivery = new DeliveryCheck(cluster, troubles, problems);
  const excused = roundsBySeries();
  const read = new PartitionDigests();
  await visit(cluster.tasks, (partition, value, offset) => {
    read.add(partition, offset, value);
    const places = tasks.visit(partition, value);
    if (!delivery.visit(partition, offset, value)) return;
    for (const { series, round } of places) excused[series]!.add(round);
  });
  tasks.finish();
  delivery.finish();

  const aborted = await checkReader(cluster, read, problems);

  const question = { cluster, startMs, raw: raw.rounds, excused };
  let storage = await checkStorage(question);
  for (let left = STORAGE_TRIES; left > 0 && storage.counts.missing > 0; left -= 1) {
    await sleep(STORAGE_PAUSE_MS);
    storage = await checkStorage(question);
  }
  let dead = 0;
  await visit(penstock.dead, () => {
    dead += 1;
  });
  if (dead > 0) problems.add('dead letters, although nothing was malformed', `${dead} records`);
  return {
    rawRecords: raw.rounds.flat().length,
    taskRecords: read.records,
    aborted,
    tasks,
    delivery,
    storage: storage.counts,
    problems: [...problems.lines(), ...storage.problems.lines()],
  };
}

/**
 * Compares what was read of the task topic with what Kafka's own consumer reads: the reader is under test too.
 *
 * @returns number of records that only read_uncommitted sees
 */
async function checkReader(
  { kafka: { brokers }, tasks: topic }: ChaosCluster,
  read: PartitionDigests,
  problems: Problems,
): Promise<number> {
  const committed = new PartitionDigests();
  let all = 0;
  await Promise.all([
    consoleRead({ brokers, topic, isolation: 'read_committed' }, ({ partition, offset, value }) =>
      committed.add(partition, offset, value),
    ),
    consoleRead({ brokers, topic, isolation: 'read_uncommitted' }, () => {
      all += 1;
    }),
  ]);
  for (const difference of read.differences(committed))
    problems.add("task topic: Kafka's own consumer reads something else", difference);
  return all - committed.records;
}
