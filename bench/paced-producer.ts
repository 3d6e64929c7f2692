/**
 * A producer in a process of its own: endless scrapes of the same series, each sample stamped with the time at which
 * its request was due. So a producer that falls behind increases the latency instead of reducing the load.
 *
 *     node bench/paced-producer.ts BROKERS TOPIC PARTITIONS SERIES
 *
 * Talks to its parent over IPC: order ▸ number of samples written.
 */

import { ProtobufReader } from '../src/core/wire/protobuf-reader.ts';
import { compress } from '../src/core/wire/snappy.ts';
import { SAMPLE, TIME_SERIES, WRITE_REQUEST } from '../src/core/wire/write-request.ts';
import { KafkaConnection } from '../src/io/kafka/client/connection.ts';
import { kafkaOptions } from '../src/io/kafka/client/options.ts';
import { PlainProducer } from '../src/io/kafka/produce/plain-producer.ts';
import { createLog } from '../src/io/telemetry/log.ts';
import { generateWriteRequests } from '../test/lab/generator/generate-series.ts';

/** In samples: the rate per second from now on, Infinity for the maximum; and the total. */
export interface ProducerOrder {
  readonly perSecond: number;
  readonly upTo: number;
}

/** Total so far, in samples. */
export interface ProducerAnswer {
  readonly written: number;
}

const [brokers = '', topic = '', partitions = '1', series = '1'] = process.argv.slice(2);
const SERIES_PER_REQUEST = 2_000;
const TICK_MS = 5;
/** Most requests in one send, and most sends in flight. */
const MOST_REQUESTS = 10;
const MOST_SENDS = 8;
const HEADERS = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };

/** A request, and the positions of its timestamps. */
interface Template {
  readonly body: Buffer;
  readonly timestamps: readonly number[];
}

const templates: Template[] = Array.from(
  generateWriteRequests({ series: Number(series), seriesPerRequest: SERIES_PER_REQUEST }),
  ({ body }) => ({ body, timestamps: timestampsIn(body) }),
);
const config = kafkaOptions.parse({ brokers: brokers.split(',') });
const producer = new PlainProducer(new KafkaConnection(config, createLog('silent', 'bench')));

let requests = 0;
let written = 0;
let sends = 0;
/** Request number `from` is due at `startMs`, each following one `everyMs` later. */
let pace = { from: 0, startMs: 0, everyMs: 0 };
let upTo = 0;

function timestampsIn(body: Buffer): number[] {
  const positions: number[] = [];
  const request = new ProtobufReader(body);
  while (request.next()) {
    if (request.field !== WRITE_REQUEST.timeseries) {
      request.skip();
      continue;
    }
    const oneSeries = request.message();
    while (oneSeries.next()) {
      if (oneSeries.field !== TIME_SERIES.samples) {
        oneSeries.skip();
        continue;
      }
      const sample = oneSeries.message();
      while (sample.next()) {
        if (sample.field === SAMPLE.timestamp) positions.push(sample.position);
        sample.skip();
      }
    }
  }
  return positions;
}

/** The next request with this time in all of its samples. A time in ms is 6 bytes as a varint until the year 2109. */
function stamped(timeMs: number): { value: Buffer; partition: number; timestamp: number } {
  const at = requests % templates.length;
  const { body, timestamps } = templates[at]!;
  const bytes = [0, 7, 14, 21, 28, 35].map(
    (shift) => (Math.floor(timeMs / 2 ** shift) % 128) | (shift < 35 ? 0x80 : 0),
  );
  for (const position of timestamps) {
    for (let i = 0; i < 6; i += 1) body[position + i] = bytes[i]!;
  }
  requests += 1;
  return { value: compress(body), partition: at % Number(partitions), timestamp: timeMs };
}

/** Due time of the next request; undefined if it is not due yet. */
function due(): number | undefined {
  if (requests * SERIES_PER_REQUEST >= upTo) return undefined;
  const now = Date.now();
  if (pace.everyMs === 0) return now;
  const time = Math.round(pace.startMs + (requests - pace.from) * pace.everyMs);
  return time <= now ? time : undefined;
}

function tick(): void {
  while (sends < MOST_SENDS) {
    const batch = [];
    for (let time = due(); time !== undefined && batch.length < MOST_REQUESTS; time = due())
      batch.push({ ...stamped(time), topic, key: null, headers: HEADERS });
    if (batch.length === 0) return;
    sends += 1;
    void producer.send(batch).then(() => {
      sends -= 1;
      written += batch.length * SERIES_PER_REQUEST;
    });
  }
}

process.on('message', (order: ProducerOrder) => {
  const everyMs = (SERIES_PER_REQUEST * 1000) / order.perSecond;
  if (everyMs !== pace.everyMs) pace = { from: requests, startMs: Date.now() + everyMs, everyMs };
  upTo = order.upTo;
  const answer: ProducerAnswer = { written };
  process.send?.(answer);
});
process.on('disconnect', () => process.exit());
setInterval(tick, TICK_MS);
process.send?.('ready');
