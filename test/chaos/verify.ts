import { setTimeout as sleep } from 'node:timers/promises';
import { consoleRead } from '../lab/servers/kafka-console.ts';
import { Problems } from '../lab/truth/problems.ts';
import { DeliveryCheck, type Troubles } from './check-delivery.ts';
import { RawCheck, roundsBySeries } from './check-raw.ts';
import { checkStorage, type StorageCounts } from './check-storage.ts';
import { TaskCheck } from './check-tasks.ts';
import type { ChaosCluster } from './cluster.ts';
import { PartitionDigests } from './partition-digests.ts';
import type { Acknowledged } from './producer.ts';

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

/** What the producer has written. */
interface Written {
  readonly startMs: number;
  readonly acknowledged: Acknowledged;
}

/** The console consumer starts on a machine that is busy. */
const IDLE_MS = 30_000;
/** vmagents send with a delay after they accept. */
const STORAGE_TRIES = 8;
const STORAGE_PAUSE_MS = 3_000;

/**
 * Compares the ingest topic, the task topic, the vmagents and storage with the truth. Call it when nothing is in
 * flight. Topics are read by Kafka's own consumer.
 */
export async function verify(
  cluster: ChaosCluster,
  { startMs, acknowledged }: Written,
  troubles: Troubles,
): Promise<Verdict> {
  const { penstock, tasks: taskTopic } = cluster;
  const { brokers } = cluster.kafka;
  const problems = new Problems();
  const raw = new RawCheck(startMs);
  let all = 0;
  let dead = 0;
  const committed = { brokers, isolation: 'read_committed', idleMs: IDLE_MS } as const;
  await Promise.all([
    consoleRead({ ...committed, topic: penstock.raw }, ({ partition, value }) => raw.visit(partition, value)),
    consoleRead({ ...committed, topic: penstock.dead }, () => {
      dead += 1;
    }),
    consoleRead({ ...committed, topic: taskTopic, isolation: 'read_uncommitted' }, () => {
      all += 1;
    }),
  ]);
  raw.finish(acknowledged, problems);
  if (dead > 0) problems.add('dead letters, although nothing was malformed', `${dead} records`);

  const tasks = new TaskCheck(startMs, raw.rounds, problems);
  const delivery = new DeliveryCheck(cluster, troubles, problems);
  const excused = roundsBySeries();
  const read = new PartitionDigests();
  await consoleRead({ ...committed, topic: taskTopic }, ({ partition, value, offset }) => {
    read.add(partition, offset, value);
    const places = tasks.visit(partition, value);
    if (!delivery.visit(partition, offset, value)) return;
    for (const { series, round } of places) excused[series]!.add(round);
  });
  tasks.finish();
  delivery.finish();
  await checkReader(cluster, read, problems);

  const question = { cluster, startMs, raw: raw.rounds, excused };
  let storage = await checkStorage(question);
  for (let left = STORAGE_TRIES; left > 0 && storage.counts.missing > 0; left -= 1) {
    await sleep(STORAGE_PAUSE_MS);
    storage = await checkStorage(question);
  }
  return {
    rawRecords: raw.rounds.flat().length,
    taskRecords: read.records,
    aborted: all - read.records,
    tasks,
    delivery,
    storage: storage.counts,
    problems: [...problems.lines(), ...storage.problems.lines()],
  };
}

/** Compares what Penstock's reader gives of the task topic with what Kafka's own consumer has read. */
async function checkReader(cluster: ChaosCluster, read: PartitionDigests, problems: Problems): Promise<void> {
  const under = new PartitionDigests();
  await cluster.readTasks(({ partition, offset, value }) => under.add(partition, offset, value!));
  for (const difference of under.differences(read))
    problems.add("task topic: Kafka's own consumer reads something else", difference);
}
