import { sleep } from '../../src/model/sleep.ts';
import { visitTopic } from '../support/read-topic.ts';
import { DeliveryCheck } from './check-delivery.ts';
import { checkStorage, type StorageCounts } from './check-storage.ts';
import { RawCheck, TaskCheck } from './check-tasks.ts';
import type { ChaosCluster } from './cluster.ts';
import type { FaultRunner } from './faults.ts';
import { Problems } from './problems.ts';
import type { TrueProducer } from './producer.ts';
import { RoundSet } from './round-set.ts';
import { SERIES } from './truth.ts';

export interface Verdict {
  readonly rawRecords: number;
  readonly taskRecords: number;
  readonly tasks: TaskCheck;
  readonly delivery: DeliveryCheck;
  readonly storage: StorageCounts;
  readonly problems: readonly string[];
}

const READ_TIMEOUT_MS = 10 * 60_000;
/** vmagents send a moment after they accept. */
const STORAGE_TRIES = 8;
const STORAGE_PAUSE_MS = 3_000;

/** Holds the ingest topic, the task topic, the vmagents and storage against the truth. Call it when all is quiet. */
export async function verify(
  cluster: ChaosCluster,
  producer: TrueProducer,
  faults: FaultRunner,
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
  const delivery = new DeliveryCheck(cluster, faults.done, problems);
  const excused = Array.from({ length: SERIES }, () => new RoundSet());
  let taskRecords = 0;
  await visit(cluster.tasks, (partition, value, offset) => {
    taskRecords += 1;
    const places = tasks.visit(partition, value);
    if (!delivery.visit(partition, offset, value)) return;
    for (const { series, round } of places) excused[series]!.add(round);
  });
  tasks.finish();
  delivery.finish();

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
    taskRecords,
    tasks,
    delivery,
    storage: storage.counts,
    problems: [...problems.lines(), ...storage.problems.lines()],
  };
}
