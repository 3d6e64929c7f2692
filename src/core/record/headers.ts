import { PoisonError, type Stage } from '../model/errors.ts';

/** Headers of a Kafka record by name, as received. */
export type Headers = Readonly<Record<string, Buffer | string | null | undefined>>;

/** All headers of Penstock's own records (docs/concepts/record-format.md). */
export const HEADER = {
  /** Format version of task records and redrive markers. */
  version: 'penstock-version',
  /** Of task records, `topic/partition/first-last`; of dead letters `topic/partition/offset`. */
  source: 'penstock-source',
  part: 'penstock-part',
  replay: 'penstock-replay',
  series: 'penstock-series',
  samples: 'penstock-samples',
  /** Time of samples that carry none, in ms since the epoch, instead of the record's own. */
  timestamp: 'penstock-timestamp',
  /** Query string of the HTTP request: `precision=ms&extra_label=dc=west`. */
  query: 'penstock-query',
  /** Path of the HTTP request, for Pushgateway's labels: `/metrics/job/batch/instance/a`. */
  path: 'penstock-path',
  stage: 'penstock-stage',
  reason: 'penstock-reason',
  error: 'penstock-error',
  firstSeen: 'penstock-first-seen',
  redriven: 'penstock-redriven',
  /** First and last offset of a record batch that is kept as a letter. */
  batch: 'penstock-batch',
  truncated: 'penstock-truncated',
  keyLeftOut: 'penstock-key-left-out',
  headersLeftOut: 'penstock-headers-left-out',
} as const;

const PREFIX = 'penstock-';

/** The version that this release writes, and the only one that it reads. */
export const FORMAT_VERSION = '1';

/** A header as text; '' where it is missing or has no value. */
export function headerOf(headers: Headers, name: string): string {
  return headers[name]?.toString() ?? '';
}

export function isOwnHeader(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * Error for a record of a format version that this release does not know. Undefined for version 1, and for records of
 * other writers, which have no version header.
 */
export function unknownVersion(headers: Headers, stage: Stage): PoisonError | undefined {
  const version = headers[HEADER.version];
  if (version == null || version.toString() === FORMAT_VERSION) return undefined;
  return new PoisonError(
    stage,
    'unknown_version',
    `${HEADER.version} is ${JSON.stringify(version.toString().slice(0, 20))}, and this release reads ${FORMAT_VERSION}: ` +
      'upgrade what reads the topic to the release that wrote the record, then redrive it',
  );
}
