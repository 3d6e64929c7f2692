import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import { Random } from '../lab/random.ts';
import { bomb, type Compressed, compressed } from './compression.ts';
import { repeated, repetition } from './expensive.ts';
import { randomHeaders, randomTimestamp } from './headers.ts';
import { applyChange, type Change } from './mutations.ts';
import { FUZZ_TARGETS } from './targets.ts';

/** Bytes of an input as it is received. The bounds on what one may cost are for these. */
export const MOST_BYTES = 1024 * 1024;

/** One in so many is large, or becomes large; these take nearly all of the time. */
const LARGE_ONE_IN = 250;
/** Bytes of the others. */
const SMALL_BYTES = 4096;

const SEEDS = FUZZ_TARGETS.flatMap(({ name, seeds }) => seeds().map((body) => ({ name, body })));
const BODIES = SEEDS.map(({ body }) => body);

/** Whether an input may be large, or become large. */
export function mayBeLarge(seed: number, index: number): boolean {
  return new Random(seed, index).chance(LARGE_ONE_IN);
}

/** The record with this number of a run with this seed. The same, whenever and wherever it is made. */
export function recordInput(seed: number, index: number): FetchedRecord {
  const random = new Random(seed, index);
  const isLarge = random.chance(LARGE_ONE_IN);
  let type = '';
  let made: Compressed;
  if (isLarge) made = largeInput(random);
  else if (random.chance(3)) {
    const body = repeated(repetition(random), random.size(SMALL_BYTES));
    made = random.chance(2) ? compressed(random, body) : { value: body, method: 'identity' };
  } else if (random.chance(20)) made = { value: random.bytes(random.size(300)), method: 'identity' };
  else {
    const { body, name } = random.pick(SEEDS);
    type = name;
    const changed = mutated(random, body);
    made = random.chance(3) ? compressed(random, changed) : { value: changed, method: 'identity' };
  }
  const value = made.value.length > MOST_BYTES ? made.value.subarray(0, MOST_BYTES) : made.value;
  return {
    topic: 'raw',
    partition: 0,
    offset: BigInt(index),
    key: null,
    timestamp: randomTimestamp(random),
    headers: randomHeaders(random, made.method, TYPE_OF[type] ?? ''),
    value: random.chance(500) ? null : value,
  };
}

const TYPE_OF: Readonly<Record<string, string>> = {
  remote_write_v1: 'application/x-protobuf;proto=prometheus.WriteRequest',
  remote_write_v2: 'application/x-protobuf;proto=io.prometheus.write.v2.Request',
  otlp: 'application/x-protobuf;proto=opentelemetry.proto.collector.metrics.v1.ExportMetricsServiceRequest',
  confluent: 'application/vnd.confluent',
  influx: 'application/x-influx-line-protocol',
  prometheus_text: 'text/plain; version=0.0.4',
  graphite: 'application/x-graphite',
  opentsdb: 'application/x-opentsdb',
  opentsdb_http: 'application/x-opentsdb+json',
  vmimport: 'application/x-victoriametrics-json',
  json: 'application/jsonl',
  otlp_json: 'application/x-otlp+json',
  mapped_json: 'application/vnd.penstock.mapped+json',
};

/** Small parts, or a valid body with a change, repeated to up to a MiB, or in a compression that hides many. */
function largeInput(random: Random): Compressed {
  const form = random.chance(3)
    ? { open: Buffer.alloc(0), unit: mutated(random, random.pick(SEEDS).body), close: Buffer.alloc(0) }
    : repetition(random);
  if (form.unit.length === 0) form.unit = Buffer.from('\n');
  if (form.unit.length < 60_000 && random.chance(3)) return bomb(random, form, 1 + random.below(40));
  const body = repeated(form, Math.floor(random.size(MOST_BYTES / 16) * (1 + random.below(16))));
  const most = body.subarray(0, MOST_BYTES);
  return random.chance(4) ? compressed(random, most) : { value: most, method: 'identity' };
}

function mutated(random: Random, body: Buffer): Buffer {
  let changed = Buffer.from(body);
  for (let left = random.below(6); left > 0; left--)
    changed = Buffer.from(applyChange(changed, change(random), BODIES));
  return changed;
}

const TELLING = Buffer.from('{}[]"\\,:;= \t\n\r#+-.e0129');

function change(random: Random): Change {
  const at = random.fraction();
  const kind = random.pick(['set', 'insert', 'delete', 'repeat', 'splice'] as const);
  if (kind === 'splice') return { kind, at, other: random.next(), from: random.fraction() };
  if (kind === 'delete' || kind === 'repeat') return { kind, at, length: 1 + random.below(64) };
  const length = 1 + random.below(8);
  const bytes = random.bytes(length);
  for (let i = 0; i < length; i++) if (!random.chance(4)) bytes[i] = random.pick([...TELLING]);
  return { kind, at, bytes };
}
