import { errorMessage, type RetryableError } from '../../core/model/errors.ts';
import { HEADER, headerOf } from '../../core/record/headers.ts';
import { isRecordTime, recordTime } from '../../core/record/record-time.ts';
import { countIn } from '../../core/record/task-record.ts';
import { samplesIn } from '../../core/wire/series-walk.ts';
import type { FetchedRecord } from '../../io/kafka/partition-queue.ts';
import type { Refused } from '../../io/remote-write/deliver.ts';
import { HttpRetryableError } from '../../io/remote-write/errors.ts';
import { Defects } from '../../io/telemetry/defects.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { monotonicMs } from '../../io/time/clock.ts';
import type { SourceFault } from './source-tracker.ts';

/** Interval of log lines per partition while a node fails: not one per attempt. */
const LOG_EVERY_MS = 10_000;
const LOGIN_REFUSED = new Set([401, 403]);

/** Events of a drain as metrics and log lines. */
export class DrainEvents {
  readonly #metrics: Metrics;
  readonly #log: Logger;
  readonly #node: string;
  readonly #routeOf: (topic: string) => string;
  readonly #lateAfterMs: () => number;
  readonly #now: () => number;
  readonly #defects: Defects;
  readonly #lastLogged = new Map<string, number>();

  /** @param lateAfterMs age of a record from which on its samples count as late; 0: none do */
  constructor(
    metrics: Metrics,
    log: Logger,
    node: string,
    routeOf: (topic: string) => string,
    lateAfterMs = () => 0,
    now: () => number = monotonicMs,
  ) {
    this.#now = now;
    this.#metrics = metrics;
    this.#log = log;
    this.#node = node;
    this.#routeOf = routeOf;
    this.#lateAfterMs = lateAfterMs;
    this.#defects = new Defects(metrics, log);
  }

  /** A record caused an unforeseen error twice. */
  defect(record: FetchedRecord, error: Error): void {
    this.#defects.report(record, error);
  }

  /** The node answered a request with this HTTP status. */
  answered(code: number): void {
    this.#metrics.deliverRequests.inc({ node: this.#node, code: String(code) });
  }

  /** The node is sent a record that it may have taken already: after a crash, or an attempt without answer. */
  possibleRepeat(record: FetchedRecord, reason: 'takeover' | 'unanswered'): void {
    this.#metrics.possibleRepeats.inc({ node: this.#node, reason });
    const { topic, partition, offset } = record;
    const source = headerOf(record.headers, HEADER.source) || undefined;
    this.#log.info(
      { topic, partition, offset: String(offset), source, reason },
      'the node may take this record a second time',
    );
  }

  /** Faults in the sequence of sources. They are in the topic itself: a crash of this drain causes none. */
  sourceFaults(record: FetchedRecord, faults: readonly SourceFault[]): void {
    for (const fault of faults) {
      this.#metrics.sourceFaults.inc({ topic: record.topic, fault });
      const { topic, partition, offset } = record;
      const source = headerOf(record.headers, HEADER.source) || undefined;
      this.#log.warn(
        { topic, partition, offset: String(offset), source, fault },
        'a task record is out of sequence',
      );
    }
  }

  /** The node has taken a record, except for `refused`. */
  delivered(record: FetchedRecord, refused: readonly Refused[], nowMs: number): void {
    if (refused.length > 0 && isNothingTaken(record, refused)) return;
    const node = this.#node;
    const route = this.#routeOf(record.topic);
    const bytes = refused.reduce((left, { body }) => left - body.length, record.value?.length ?? 0);
    const samples = refused.reduce((sum, { body }) => sum + (samplesIn(body) ?? 0), 0);
    this.#metrics.deliverRecords.inc({ node, route });
    this.#metrics.deliverBytes.inc({ node, route }, Math.max(0, bytes));
    const inRecord = (what: 'series' | 'samples', less: number) =>
      Math.max(0, countIn(record.headers, what) - less);
    const delivered = inRecord('samples', samples);
    this.#metrics.samples.inc({ stage: 'deliver', route }, delivered);
    this.#metrics.series.inc({ stage: 'deliver', route }, inRecord('series', refused.length));
    const ageMs = (ms: number) => Math.max(0, nowMs - ms);
    const sourceMs = sourceTime(record);
    if (isRecordTime(sourceMs)) this.#metrics.deliverLatency.observe({ node }, ageMs(sourceMs) / 1000);
    // By the record, not by the sample: bodies are not decoded. A redriven record keeps its age.
    const firstMs = recordTime(record, () => nowMs);
    const lateAfterMs = this.#lateAfterMs();
    if (lateAfterMs > 0 && ageMs(firstMs) > lateAfterMs) this.#metrics.late.inc({ node, route }, delivered);
  }

  /** Dead letters could not be written yet. */
  deadLettersNotWritten(
    { topic, partition, offset }: Pick<FetchedRecord, 'topic' | 'partition' | 'offset'>,
    error: unknown,
    pauseMs: number,
  ): void {
    this.#log.warn(
      {
        topic,
        partition,
        offset: String(offset),
        error: errorMessage(error),
        retryInMs: Math.round(pauseMs),
      },
      'the dead-letter topic does not take what could not be delivered; this partition waits',
    );
  }

  retried(record: FetchedRecord, error: RetryableError, pauseMs: number): void {
    const reason = error instanceof HttpRetryableError ? `http_${error.code}` : 'connection';
    this.#metrics.deliverRetries.inc({ node: this.#node, reason });
    if (error instanceof HttpRetryableError) this.answered(error.code);
    const key = `${record.topic}/${record.partition}`;
    const now = this.#now();
    if (now - (this.#lastLogged.get(key) ?? Number.NEGATIVE_INFINITY) < LOG_EVERY_MS) return;
    this.#lastLogged.set(key, now);
    const fields = {
      node: this.#node,
      topic: record.topic,
      partition: record.partition,
      error: error.message,
      retryInMs: Math.round(pauseMs),
    };
    const waits = 'this partition waits, Kafka holds the backlog';
    if (error instanceof HttpRetryableError && LOGIN_REFUSED.has(error.code)) {
      const check = 'check basic_auth, bearer_token or tls of the node';
      this.#log.error(fields, `the node refuses the login: ${check}; ${waits}`);
    } else {
      this.#log.warn(fields, `the node does not take samples; ${waits}`);
    }
  }

  refused(record: FetchedRecord, refused: readonly Refused[]): void {
    for (const { error } of refused)
      this.#metrics.deadLetters.inc({ stage: error.stage, reason: error.reason, topic: record.topic });
    this.#log.error(
      {
        node: this.#node,
        topic: record.topic,
        partition: record.partition,
        offset: String(record.offset),
        error: errorMessage(refused[0]?.error),
      },
      `the node refused ${refused.length} series for good; they are in the dead-letter topic`,
    );
  }
}

/**
 * Start of a record's latency: the time of its source, which earlier versions gave the record itself; for a redriven
 * dead letter the time of the redrive.
 */
function sourceTime(record: FetchedRecord): number {
  if (record.headers[HEADER.redriven] != null) return record.timestamp;
  return recordTime(record, () => record.timestamp);
}

function isNothingTaken(record: FetchedRecord, refused: readonly Refused[]): boolean {
  const { value } = record;
  if (value === null || value.length === 0 || refused.some(({ body }) => body === value)) return true;
  return refused.length === countIn(record.headers, 'series');
}
