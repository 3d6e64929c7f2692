import * as z from 'zod';
import { MOST_LABELS } from '../../core/model/labels.ts';
import { duration, kafkaSize, plainName, shown, size, topicName } from '../../core/options/types.ts';
import { decodeKeys, INGEST_ENCODINGS, topicDecodeKeys } from './encoding-options.ts';

/** `worker.topic` when nothing is configured. */
const DEFAULT_TOPIC = 'metrics.raw';

/** A token of RFC 9110 section 5.6.2. */
const HEADER_NAME = /^[A-Za-z0-9!#$%&'*+.^_`|~-]+$/;
/** Headers of HTTP itself, and those that a drain sets: records must not set them. */
const OWN_HEADERS = new Set([
  'authorization',
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'expect',
  'host',
  'keep-alive',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'user-agent',
  'x-prometheus-remote-write-version',
]);

const tenantHeader = z
  .string()
  .regex(HEADER_NAME, "expected an HTTP header's name")
  .refine(
    (name) => !OWN_HEADERS.has(name.toLowerCase()),
    'expected a header that names a tenant; this one is not for records to set',
  );

const limit = () => z.int().min(0);

const age = () => duration({ min: 0, max: Number.MAX_SAFE_INTEGER });

const limits = z.strictObject({
  record_bytes: size({ min: 0 })
    .prefault('32MiB')
    .describe('Largest record after decompression; a bigger one is a dead letter. 0: no limit.'),
  series_per_record: limit()
    .default(1_000_000)
    .describe('Most series in one record; a record with more is a dead letter. 0: no limit.'),
  faults_per_record: limit()
    .default(10_000)
    .describe(
      'Most parts of a record that are set aside one by one; a record with more is a dead letter as a whole. 0: no limit.',
    ),
  buckets_per_histogram: limit()
    .default(10_000)
    .describe(
      'Most buckets of one histogram, empty ones included; one with more is a dead letter. 0: no limit.',
    ),
  record_time: age()
    .prefault('1s')
    .describe(
      'Most CPU time for a record, for each MiB of it as received, at least once; one that takes longer is a dead letter. 0: no limit.',
    ),
  labels_per_series: limit()
    .max(MOST_LABELS)
    .default(40)
    .describe('Most labels of a series; one with more is a dead letter. 0: 10,000, the most there may be.'),
  label_name_bytes: size({ min: 0 })
    .prefault(256)
    .describe('Longest label name; a series with a longer one is a dead letter. 0: no limit.'),
  label_value_bytes: size({ min: 0 })
    .prefault('4KiB')
    .describe('Longest label value; a series with a longer one is a dead letter. 0: no limit.'),
  tenant_bytes: size({ min: 0 })
    .prefault('1KiB')
    .describe(
      'Longest value of a tenant header, which is written into each task record; a record with a longer one is a dead letter. 0: no limit.',
    ),
  max_age: age()
    .prefault(0)
    .describe(
      'Oldest sample, back from the time at which it is read; an older one is a dead letter alone. 0: no limit.',
    ),
  max_future: age()
    .prefault('10m')
    .describe(
      'Newest sample, ahead of the time at which it is read; a newer one is a dead letter alone, since it spoils the windows of an aggregation. 0: no limit.',
    ),
});

const topics = z
  .array(
    z.strictObject({
      topic: topicName().describe('Topic to read from.'),
      encoding: z
        .enum(INGEST_ENCODINGS)
        .optional()
        .describe('Encoding of its records without a content-type header. Absent: worker.encoding.'),
      ...topicDecodeKeys,
    }),
  )
  .min(1, 'the list is empty; expected at least one topic, or this key left out');

/** The worker: what it reads and how. Times in ms, sizes in bytes. */
export const workerOptions = z
  .strictObject({
    processes: z
      .union([z.int().min(1).max(1024), z.literal('auto')], {
        error: (issue) =>
          `${JSON.stringify(issue.input)} does not fit; expected a whole number from 1 to 1024, or auto`,
      })
      .default(1)
      .describe(
        'Processes of one worker; auto: as many as there are cores. Each is a consumer with a series cache and a queue of its own, so more than the ingest topic has partitions are idle. With more than 1 a supervisor starts them, and again if one ends; admin.listen speaks for all, and client_id gets their number (penstock-0).',
      ),
    topic: topicName().default(DEFAULT_TOPIC).describe('Topic to read from.'),
    topics: topics
      .optional()
      .describe('Topics to read from, instead of topic, each with an encoding and options of its own.'),
    group: plainName().default('penstock').describe('Consumer group that all workers share.'),
    encoding: z
      .enum(INGEST_ENCODINGS)
      .default('auto')
      .describe('Encoding of records without a content-type header; auto looks at the bytes.'),
    ...decodeKeys,
    delivery: z
      .enum(['exactly_once', 'at_least_once'])
      .default('exactly_once')
      .describe(
        'exactly_once: output and offset in one transaction. at_least_once: a crash may repeat records.',
      ),
    dead_topic: topicName()
      .default('metrics.dead')
      .describe('Topic for what could not be used, with the reason.'),
    session_timeout: duration()
      .prefault('15s')
      .describe('A worker that is not heard from for this long loses its partitions to the others.'),
    heartbeat_interval: duration()
      .prefault('3s')
      .describe('How often a worker sends a heartbeat; usually at most a third of session_timeout.'),
    rebalance_timeout: duration()
      .prefault('30s')
      .describe('How long a rebalance waits for every worker to join.'),
    commit_interval: duration()
      .prefault('200ms')
      .describe(
        'Time from one step to the next: input is collected, then published and committed in one transaction a partition. Longer costs less and delays more.',
      ),
    fetch_max_bytes: kafkaSize()
      .prefault('8MiB')
      .describe('Most bytes a fetch may bring, over all partitions.'),
    fetch_max_wait: duration()
      .prefault('250ms')
      .describe('How long a broker may hold a fetch when it has nothing to give.'),
    queue_bytes: size()
      .prefault('64MiB')
      .describe('Most bytes fetched and not yet processed; at this mark the worker stops fetching.'),
    series_cache_bytes: size()
      .prefault('256MiB')
      .describe(
        'Memory for series already routed, relabeled and hashed. Series that were not seen for a while make room; while all are in use, new ones are not kept.',
      ),
    transaction_timeout: duration()
      .prefault('30s')
      .describe('The broker ends an open transaction after this; at most its transaction.max.timeout.ms.'),
    on_offset_gap: z
      .enum(['continue', 'stop'])
      .default('continue')
      .describe(
        'When records are missing where reading begins (retention took them, brokers lost them or forgot the offset, the topic was deleted and made again): continue (report it, go on with what is there) or stop.',
      ),
    on_corrupt_batch: z
      .enum(['stop', 'set_aside'])
      .default('stop')
      .describe(
        'When a record batch cannot be read (corrupt, or too large decompressed): stop (its partition waits; penstock dead skip passes over it) or set_aside (it becomes a dead letter, and the partition goes on).',
      ),
    tenant_headers: z
      .array(tenantHeader)
      .default(['X-Scope-OrgID', 'AccountID', 'ProjectID'])
      .describe('Record headers that name a tenant; they go to the task topics as received.'),
    limits: limits
      .prefault({})
      .describe(
        'What a record may hold; what has more is a dead letter. Labels as VictoriaMetrics limits them by default.',
      ),
  })
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (options.heartbeat_interval >= options.session_timeout) {
      refuse(
        'heartbeat_interval',
        `${options.heartbeat_interval} ms is too long; expected less than session_timeout (${options.session_timeout} ms), a third is usual`,
      );
    }
    if (options.commit_interval >= options.transaction_timeout) {
      refuse(
        'commit_interval',
        `${options.commit_interval} ms is too long; expected less than transaction_timeout (${options.transaction_timeout} ms)`,
      );
    }
    if (options.topics !== undefined && options.topic !== DEFAULT_TOPIC) {
      refuse('topic', `${shown(options.topic)}, and topics is given too; expected one of the two`);
    }
  });

export type WorkerOptions = z.output<typeof workerOptions>;

type DecodeSections = { readonly [K in keyof typeof decodeKeys]: WorkerOptions[K] };

/** One ingest topic with the options for its records. */
export interface IngestTopic extends DecodeSections {
  readonly topic: string;
  readonly encoding: WorkerOptions['encoding'];
}

/** The ingest topics in the order of the configuration: those of `topics`, or the one of `topic`. */
export function ingestTopics(options: WorkerOptions): readonly [IngestTopic, ...IngestTopic[]] {
  const { topic, encoding, influx, graphite, opentsdb, opentsdb_http, json, otlp, mapping } = options;
  const [first = {}, ...others] = options.topics ?? [];
  const resolve = (own: Partial<NonNullable<WorkerOptions['topics']>[number]>): IngestTopic => ({
    topic: own.topic ?? topic,
    encoding: own.encoding ?? encoding,
    influx: overlay(influx, own.influx),
    graphite: overlay(graphite, own.graphite),
    opentsdb: overlay(opentsdb, own.opentsdb),
    opentsdb_http: overlay(opentsdb_http, own.opentsdb_http),
    json: overlay(json, own.json),
    otlp: overlay(otlp, own.otlp),
    mapping: overlay(mapping, own.mapping),
  });
  return [resolve(first), ...others.map(resolve)];
}

/** `base`, overridden by the keys of `over` that are defined. */
function overlay<T extends object>(base: T, over: { readonly [K in keyof T]?: T[K] | undefined } = {}): T {
  const said = Object.entries(over).filter(([, value]) => value !== undefined);
  return { ...base, ...Object.fromEntries(said) };
}
