/**
 * Writes round after round to every ingest partition, and records which of them Kafka has acknowledged.
 *
 * A round whose send failed may be in the topic or not. It is never sent again, so it is there at most once. Rounds
 * that come due during a send go out together, so that a slow cluster gets as many records as a fast one.
 *
 *     node test/chaos/produce.ts BROKERS TOPIC
 *
 * Started by `TrueProducer`; answers each `ProducerOrder`.
 */
import { setTimeout } from 'node:timers/promises';
import { Kafka, logLevel, type Producer } from 'kafkajs';
import type { Acknowledged, ProducerCounts, ProducerOrder } from './producer.ts';
import { MOST_RAW_PARTITIONS, RAW_PARTITIONS, ROUND_MS, recordOf } from './truth.ts';

const AFTER_ERROR_MS = 200;
/** Most rounds in one request, if several have come due during the one before. */
const MOST_AT_ONCE = 20;
const ONCE = { retries: 0 };

const [brokers = '', topic = ''] = process.argv.slice(2);
const startMs = Date.now();
const acknowledged: boolean[][] = Array.from({ length: MOST_RAW_PARTITIONS }, () => []);
const loops: Promise<void>[] = [];
const stop = new AbortController();
const { signal } = stop;

const sleep = (ms: number) => setTimeout(ms, undefined, { signal }).catch(() => undefined);

async function connect(): Promise<Producer> {
  const kafka = new Kafka({ brokers: brokers.split(','), logLevel: logLevel.NOTHING, retry: ONCE });
  const producer = kafka.producer({
    allowAutoTopicCreation: false,
    createPartitioner:
      () =>
      ({ message }) =>
        message.partition!,
    retry: ONCE,
  });
  await producer.connect();
  return producer;
}

/** @throws Error unless Kafka has acknowledged the rounds */
async function send(producer: Producer, partition: number, first: number, count: number): Promise<void> {
  const messages = Array.from({ length: count }, (_, at) => ({
    partition,
    value: recordOf(partition, first + at, startMs),
  }));
  const answers = await producer.send({ topic, acks: -1, messages });
  // kafkajs drops records for a partition that its metadata does not have, and reports success.
  if (!answers.some((answer) => answer.partition === partition)) throw new Error('the partition is unknown');
}

async function run(partition: number): Promise<void> {
  const rounds = acknowledged[partition]!;
  let producer: Producer | undefined;
  let next = Date.now() + (partition * ROUND_MS) / RAW_PARTITIONS;
  while (!signal.aborted) {
    await sleep(Math.max(0, next - Date.now()));
    try {
      producer ??= await connect();
      const due = 1 + Math.floor((Date.now() - next) / ROUND_MS);
      const count = Math.max(1, Math.min(due, MOST_AT_ONCE));
      next = Math.max(next + count * ROUND_MS, Date.now() - MOST_AT_ONCE * ROUND_MS);
      const first = rounds.length;
      rounds.push(...Array.from({ length: count }, () => false));
      await send(producer, partition, first, count);
      rounds.fill(true, first);
    } catch {
      // A client of its own after each failure: what it knows of the cluster may be wrong.
      await producer?.disconnect().catch(() => undefined);
      producer = undefined;
      await sleep(AFTER_ERROR_MS);
    }
  }
  await producer?.disconnect();
}

async function answer(order: ProducerOrder): Promise<ProducerCounts | Acknowledged | true> {
  if (order === 'counts') {
    const all = acknowledged.flat();
    const count = all.filter(Boolean).length;
    return { acknowledged: count, unknown: all.length - count };
  }
  if (order === 'stop') {
    stop.abort();
    await Promise.all(loops);
    return acknowledged;
  }
  if (!signal.aborted) loops.push(...order.write.map(run));
  return true;
}

// kafkajs asks for timers that are over: Node would print a warning for that.
process.removeAllListeners('warning');
process.on('message', async (order: ProducerOrder) => process.send?.(await answer(order)));
process.on('disconnect', () => process.exit());
process.send?.(startMs);
