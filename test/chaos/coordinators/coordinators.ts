import { setTimeout as sleep } from 'node:timers/promises';
import { uniqueName } from '../../lab/names.ts';
import { poll } from '../../lab/process.ts';
import { Random } from '../../lab/random.ts';
import { type KafkaCluster, startKafka } from '../../lab/servers/kafka.ts';
import { closing } from '../../support/closing.ts';
import { readCoordinators } from '../../support/coordinators.ts';
import { CopyingWorker, stopCopyingWorkers } from '../../support/copying-worker.ts';
import { NumberSource, TestKafka } from '../../support/kafka-data.ts';
import { HeldSteps, type Step } from '../../support/transaction-requests.ts';
import { compare, mark } from './content.ts';
import { isOpening, STEPS, stepsOf } from './steps.ts';

export interface CoordinatorRun {
  /** Number of the first kill, from 0. */
  readonly first: number;
  readonly kills: number;
  readonly say: (line: string) => void;
}

/** One for each step, so that each kill hits all of them. */
const PARTITIONS = STEPS.length;
const PACE = { atOnce: 1, pauseMs: 250 };
/** Most time from the release of the held requests to the kill, in ms: some are then under way. */
const UNDER_WAY_MS = 12;
/** Steps after which a partition counts as working again. */
const WORKS_STEPS = 3;
const TIMEOUT_MS = 120_000;
/** Most time to hold transactions, in ms: longer, they would time out. */
const HELD_MS = 10_000;

/**
 * Copies partitions exactly once while coordinators are killed, each time with every partition at another step of its
 * transaction, and compares the copies with their sources.
 *
 * @returns whether all records were there, once and in order
 */
export async function killCoordinators({ first, kills, say }: CoordinatorRun): Promise<boolean> {
  await using cluster = closing(await startKafka({ brokers: 3, own: true, name: 'coordinators' }));
  say(`${cluster.source}, three brokers, ${PARTITIONS} partitions; kills ${first} to ${first + kills - 1}`);
  await using kafka = new TestKafka(cluster.brokers);
  // Left running, it would keep the process of a failed run alive.
  await using _worker = closing({ close: stopCopyingWorkers });
  const run = await Run.start(cluster, kafka);
  for (let index = first; index < first + kills; index += 1) say(await run.kill(index));
  return await run.check(kills, say);
}

class Run {
  readonly #cluster: KafkaCluster;
  readonly #kafka: TestKafka;
  readonly #topics: { brokers: string[]; groupId: string; input: string; output: string };
  readonly #worker: CopyingWorker;
  readonly #held: HeldSteps;
  readonly #stepsOf = Array.from({ length: PARTITIONS }, () => 0);
  readonly #random = new Random(1, 0);
  /** Partitions whose session has to start over. */
  readonly #failing = new Set<number>();
  #stepsMet = 0;

  private constructor(cluster: KafkaCluster, kafka: TestKafka, input: string, output: string) {
    this.#cluster = cluster;
    this.#kafka = kafka;
    this.#topics = { brokers: cluster.brokers, groupId: uniqueName('killed'), input, output };
    this.#held = new HeldSteps(this.#topics.groupId);
    this.#worker = new CopyingWorker(this.#topics, {
      transform: ({ records }, { partition }) => {
        if (this.#failing.delete(partition)) throw new Error('a session that is to begin again');
        this.#stepsOf[partition]! += 1;
        return records.map((record) => ({ ...record, topic: output, headers: {} }));
      },
    });
  }

  static async start(cluster: KafkaCluster, kafka: TestKafka): Promise<Run> {
    const input = await kafka.createTopic('in', PARTITIONS);
    const output = await kafka.createTopic('out', PARTITIONS);
    const run = new Run(cluster, kafka, input, output);
    await run.#worker.start();
    return run;
  }

  /** @returns the killed broker and the outcome, in words */
  async kill(index: number): Promise<string> {
    // A client of its own, for current metadata.
    await using fresh = new TestKafka(this.#cluster.brokers);
    const { input } = this.#topics;
    for (let id = 0; id < PARTITIONS; id += 1) await fresh.produce(input, id, [mark(index)]);
    const source = new NumberSource(this.#kafka, input, PARTITIONS, PACE).start();
    await using _source = closing({ close: async () => void (await source.stop()) });
    await this.#works('before the kill');
    const [victim, what] = await this.#victim(index, fresh);
    const missing = await this.#holdAt(stepsOf(index));
    this.#held.release();
    await sleep(this.#random.below(UNDER_WAY_MS + 1));
    await this.#cluster.node(victim).kill();
    const killedMs = performance.now();
    await this.#works('after the kill');
    const seconds = ((performance.now() - killedMs) / 1000).toFixed(1);
    await this.#cluster.node(victim).start();
    await this.#works('with the broker again');
    this.#stepsMet += PARTITIONS - missing;
    return `kill ${index}: broker ${victim + 1}, ${what}, with ${PARTITIONS - missing} partitions at a step each; all went on within ${seconds} s`;
  }

  /** In turn the group's coordinator, and one that coordinates transactions only. */
  async #victim(index: number, { admin }: TestKafka): Promise<[number, string]> {
    const coordinators = await readCoordinators(admin, ['group', 'transaction']);
    const group = coordinators.of('group', this.#topics.groupId);
    const ids = [...this.#held.transactionalIds.values()];
    const counts = [0, 1, 2].map(
      (node) => ids.filter((id) => coordinators.of('transaction', id) === node).length,
    );
    const others = [0, 1, 2].filter((node) => node !== group).sort((a, b) => counts[b]! - counts[a]!);
    const victim = index % 2 === 0 ? group : others[0]!;
    const ofGroup = victim === group ? 'of the group and ' : '';
    return [victim, `coordinator ${ofGroup}of the transactions of ${counts[victim]} partitions`];
  }

  /** @returns number of partitions that have not reached their step */
  async #holdAt(steps: ReadonlyMap<number, Step>): Promise<number> {
    this.#held.hold(steps);
    for (const [partition, step] of steps) if (isOpening(step)) this.#failing.add(partition);
    await poll(
      () => this.#held.missing === 0,
      { timeoutMs: HELD_MS },
      () => new Error('not all are there'),
    ).catch(() => undefined);
    return this.#held.missing;
  }

  async #works(when: string): Promise<void> {
    const before = [...this.#stepsOf];
    await poll(
      () => this.#stepsOf.every((steps, id) => steps > before[id]! + WORKS_STEPS),
      { timeoutMs: TIMEOUT_MS },
      () => {
        const still = before.flatMap((steps, id) => (this.#stepsOf[id]! > steps + WORKS_STEPS ? [] : [id]));
        const { failures } = this.#worker;
        return new Error(
          `partitions ${still.join(', ')} stand still ${when}, after ${failures.length} failures, the last: ${failures.at(-1)}`,
        );
      },
    );
  }

  async check(kills: number, say: (line: string) => void): Promise<boolean> {
    const { groupId, input, output } = this.#topics;
    await using fresh = new TestKafka(this.#cluster.brokers);
    await poll(
      async () => {
        const ends = await fresh.admin.offsetBounds(input);
        const offsets = await fresh.admin.committedOffsets(groupId, input);
        return [...ends].every(([id, { high }]) => offsets.get(id) === high);
      },
      { timeoutMs: TIMEOUT_MS },
      () => new Error('the group did not catch up'),
    );
    await this.#worker.stop();
    const read = await fresh.readAll(input, PARTITIONS);
    const written = await fresh.readAll(output, PARTITIONS);
    const found = read.map((values, id) => compare(values, written[id]!));
    for (const [id, { first }] of found.entries()) if (first !== undefined) say(`partition ${id}: ${first}`);
    const sum = (of: 'lost' | 'repeated') => found.reduce((all, difference) => all + difference[of], 0);
    const records = read.reduce((all, values) => all + values.length, 0);
    const held = found.every(({ first }) => first === undefined);
    say(
      `${kills} kills, ${this.#stepsMet} transactions held at a step when their coordinator or another broker died, ` +
        `${this.#worker.sessions} sessions; ${records} records: ${sum('lost')} lost, ${sum('repeated')} repeated, ` +
        `${held ? 'all in order' : 'NOT as they were read'}`,
    );
    return held;
  }
}
