import { errorMessage, RetryableError } from '../../../core/model/errors.ts';
import type { OutgoingRecord } from '../../../core/model/records.ts';
import type { DeadTopic } from '../../../core/record/dead-letter.ts';
import { Backoff, sleep } from '../../time/sleep.ts';
import type { KafkaAdmin } from '../admin/admin.ts';
import {
  FatalKafkaError,
  isDefect,
  isMembershipError,
  isTakenOver,
  kafkaErrorType,
  namedPartition,
  PartitionLostError,
  RecordsRefusedError,
} from '../errors.ts';
import type { AssignedPartition } from '../group/assigned-partition.ts';
import { lookAt, type NeededTopic, type OutputTopic, type OutputTrouble } from './topic-look.ts';
import { TopicTroubleError, unauthorizedTopic } from './topic-trouble.ts';
import type { TopicTroubles } from './topic-troubles.ts';

/** Source partition of records to write. */
export type Holder = Pick<AssignedPartition, 'active' | 'ending' | 'trouble'>;

/** A topic that cannot be written to now. */
interface Held {
  readonly trouble: OutputTrouble;
  /** Waiting holders with their wake-ups, oldest first. */
  readonly waiting: Map<Holder, () => void>;
  /** The holder that may try to write again. */
  trying: Holder | undefined;
  /** Aborted when the fault is over or replaced by a new one. */
  readonly ended: AbortController;
  readonly backoff: Backoff;
}

const LOOK_MIN_MS = 500;
const LOOK_MAX_MS = 10_000;
/** Time for the trying holder, in ms; it may be lost, so another gets its turn after that. */
const TRY_MS = 30_000;
const TOO_FEW_REPLICAS = new Set(['NOT_ENOUGH_REPLICAS', 'NOT_ENOUGH_REPLICAS_AFTER_APPEND']);
const EFFECT =
  'Records with series that go there wait, each with its partition of the ingest topic, and nothing is lost; others go on';

/**
 * The output topics, and which of them are blocked.
 *
 * A topic's fault blocks only the steps that write to it: they are not tried until the topic looks usable again. Then
 * one of the waiting partitions tries, and once its step is published all go on.
 */
export class OutputTopics {
  readonly #admin: KafkaAdmin;
  readonly #troubles: TopicTroubles;
  readonly #held = new Map<string, Held>();
  #known: ReadonlyMap<string, OutputTopic> = new Map();
  #needed: readonly NeededTopic[] = [];
  #closed = false;

  constructor(admin: KafkaAdmin, troubles: TopicTroubles) {
    this.#admin = admin;
    this.#troubles = troubles;
  }

  /** Looks at topics without changing any state. */
  look(needed: readonly NeededTopic[]): Promise<ReadonlyMap<string, OutputTopic>> {
    return lookAt(this.#admin, needed);
  }

  /** Puts the result of a look in force: these are the output topics from now on. */
  use(needed: readonly NeededTopic[], found: ReadonlyMap<string, OutputTopic>): void {
    const before = this.#letGo();
    this.#needed = needed;
    this.#known = found;
    for (const { trouble } of found.values()) if (trouble !== undefined) this.#hold(trouble);
    for (const topic of before) if (!this.#held.has(topic)) this.#troubles.over(topic);
  }

  /** `max.message.bytes` of a topic. */
  maxMessageBytes(topic: string): number {
    return this.#known.get(topic)!.maxMessageBytes;
  }

  /** A dead-letter topic in its present state. */
  deadTopic(topic: string): DeadTopic {
    const { partitions, maxMessageBytes } = this.#known.get(topic)!;
    return { topic, partitions, maxMessageBytes };
  }

  /** The known fault that blocks these records; undefined: none, or it is the turn of `holder` to try. */
  blocking(records: readonly OutgoingRecord[], holder: Holder): OutputTrouble | undefined {
    if (this.#held.size === 0) return undefined;
    return troubleOf(records, (topic) => {
      const held = this.#held.get(topic);
      return held?.trying === holder ? undefined : held?.trouble;
    });
  }

  /**
   * Waits until no known fault blocks these records, and sends them.
   *
   * @returns false if the source partition ends before that
   * @throws TopicTroubleError when a topic is at fault; else the error of `send`, or a RetryableError in its place
   */
  async write(
    records: readonly OutgoingRecord[],
    holder: Holder,
    send: () => Promise<void>,
  ): Promise<boolean> {
    for (;;) {
      const trouble = this.blocking(records, holder);
      if (trouble === undefined) break;
      await this.wait(trouble, holder);
      if (!holder.active) return false;
    }
    try {
      await send();
    } catch (error) {
      throw await this.#failed(error, records);
    }
    this.#published(records);
    return true;
  }

  /** Resolves when `holder` should check again whether its records are blocked, or when it ends. */
  async wait(trouble: OutputTrouble, holder: Holder): Promise<void> {
    holder.trouble = trouble;
    const held = this.#held.get(trouble.topic);
    const signal = holder.ending;
    if (held === undefined || signal.aborted) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const onAbort = () => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    held.waiting.set(holder, resolve);
    await promise;
    signal.removeEventListener('abort', onAbort);
    held.waiting.delete(holder);
  }

  #published(records: readonly OutgoingRecord[]): void {
    if (this.#held.size === 0) return;
    for (const record of records) {
      const { trouble } = this.#held.get(record.topic) ?? {};
      if (trouble !== undefined && concerns(trouble, record)) this.#release(record.topic);
    }
  }

  /**
   * Finds the topic at fault for a failed write, and blocks it. A changed `max.message.bytes` leads to a retry instead.
   *
   * @returns the error to throw
   */
  async #failed(error: unknown, records: readonly OutgoingRecord[]): Promise<unknown> {
    if (isMembershipError(error) || isTakenOver(error) || error instanceof PartitionLostError) return error;
    if (isDefect(error)) return error;
    const named = namedTrouble(error, records);
    if (named !== undefined) {
      this.#hold(named);
      return new TopicTroubleError(named, { cause: error });
    }
    const topics = new Set(records.map(({ topic }) => topic));
    const found = await this.look(this.#needed.filter(({ topic }) => topics.has(topic))).catch(
      () => undefined,
    );
    if (found === undefined) return forAnother(error);
    const hasNewLimit = [...found].some(
      ([topic, { maxMessageBytes }]) => maxMessageBytes !== this.maxMessageBytes(topic),
    );
    this.#known = new Map([...this.#known, ...found]);
    for (const { trouble } of found.values()) if (trouble !== undefined) this.#hold(trouble);
    const met = troubleOf(records, (topic) => found.get(topic)?.trouble);
    if (met !== undefined) return new TopicTroubleError(met, { cause: error });
    return error instanceof RecordsRefusedError && !hasNewLimit ? error : forAnother(error);
  }

  close(): void {
    this.#closed = true;
    this.#letGo();
  }

  /** Unblocks all topics and wakes their waiters. @returns the topics that were blocked */
  #letGo(): string[] {
    const before = [...this.#held];
    this.#held.clear();
    for (const [, { ended, waiting }] of before) {
      ended.abort();
      for (const resolve of waiting.values()) resolve();
    }
    return before.map(([topic]) => topic);
  }

  #hold(trouble: OutputTrouble): void {
    this.#troubles.met(trouble, EFFECT);
    const { topic } = trouble;
    const before = this.#held.get(topic);
    if (before?.trouble.kind === trouble.kind && before.trying === undefined) return;
    before?.ended.abort();
    const held: Held = {
      trouble,
      waiting: before?.waiting ?? new Map(),
      trying: undefined,
      ended: new AbortController(),
      backoff: before?.trouble.kind === trouble.kind ? before.backoff : new Backoff(LOOK_MIN_MS, LOOK_MAX_MS),
    };
    this.#held.set(topic, held);
    void this.#watch(held);
  }

  #release(topic: string): void {
    const held = this.#held.get(topic);
    if (held === undefined) return;
    this.#held.delete(topic);
    held.ended.abort();
    this.#troubles.over(topic);
    for (const resolve of held.waiting.values()) resolve();
  }

  /** Looks at the topic, with backoff, until it is usable and a holder has written to it, or none waits for it. */
  async #watch(held: Held): Promise<void> {
    const { topic } = held.trouble;
    const { signal } = held.ended;
    while (!signal.aborted && !this.#closed) {
      await sleep(held.backoff.next(), signal);
      if (signal.aborted) return;
      this.#troubles.met(held.trouble, EFFECT);
      if (!(await this.#isUsable(topic)) || signal.aborted) continue;
      const [next] = held.waiting;
      if (next === undefined) {
        this.#release(topic);
        return;
      }
      const [holder, resolve] = next;
      held.trying = holder;
      resolve();
      await sleep(TRY_MS, signal);
      held.trying = undefined;
    }
  }

  async #isUsable(topic: string): Promise<boolean> {
    const needed = this.#needed.filter((each) => each.topic === topic);
    const found = await this.look(needed).catch(() => undefined);
    const state = found?.get(topic);
    if (state === undefined) return false;
    this.#known = new Map([...this.#known, [topic, state]]);
    return state.trouble === undefined;
  }
}

/** True if the fault of its topic affects the record's partition. */
function concerns({ partitions }: OutputTrouble, { partition }: OutgoingRecord): boolean {
  return partitions?.has(partition) ?? true;
}

/** The first fault that blocks one of the records. */
function troubleOf(
  records: readonly OutgoingRecord[],
  of: (topic: string) => OutputTrouble | undefined,
): OutputTrouble | undefined {
  for (const record of records) {
    const trouble = of(record.topic);
    if (trouble !== undefined && concerns(trouble, record)) return trouble;
  }
  return undefined;
}

/** Fault that shows only in the error of a write, not in a look at the topic. */
function namedTrouble(error: unknown, records: readonly OutgoingRecord[]): OutputTrouble | undefined {
  const type = kafkaErrorType(error);
  const named = namedPartition(error);
  const topic = named?.topic ?? onlyTopic(records);
  if (topic === undefined) return undefined;
  if (type === 'TOPIC_AUTHORIZATION_FAILED') return unauthorizedTopic(topic, 'write to');
  if (TOO_FEW_REPLICAS.has(type)) {
    const { partition } = named ?? {};
    const where = partition === undefined ? `topic ${topic}` : `${topic}/${partition}`;
    return {
      topic,
      kind: 'too_few_replicas',
      message: `${where} has fewer replicas in sync than min.insync.replicas: brokers that have one are away`,
      ...(partition === undefined ? {} : { partitions: new Set([partition]) }),
    };
  }
  const isRefused = error instanceof FatalKafkaError && !(error instanceof RecordsRefusedError);
  return isRefused && (type === 'INVALID_RECORD' || type === 'INVALID_TIMESTAMP')
    ? { topic, kind: 'records_refused', message: errorMessage(error) }
    : undefined;
}

function onlyTopic(records: readonly OutgoingRecord[]): string | undefined {
  const topics = new Set(records.map(({ topic }) => topic));
  return topics.size === 1 ? topics.values().next().value : undefined;
}

/** Makes fatal errors retryable: an answer about one topic must not end the process. */
function forAnother(error: unknown): unknown {
  return error instanceof FatalKafkaError ? new RetryableError(errorMessage(error), { cause: error }) : error;
}
