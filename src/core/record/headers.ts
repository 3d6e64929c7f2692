import { PoisonError, type Stage } from '../model/errors.ts';

/**
 * Headers of a record, as Kafka gives them, in an object without a prototype: a producer may name one `__proto__`. Our
 * own names are compared as they are, those of producers without regard to case (core/decode/record-headers.ts). Kafka
 * allows a header without a value (null), which counts as absent.
 */
export type RecordHeaders = Readonly<Record<string, Buffer | string | null | undefined>>;

/** All headers with a meaning for Penstock: of its own records, and of producers (docs/concepts/record-format.md). */
export const HEADER = {
  /** Format version of task records and redrive markers. */
  version: 'penstock-version',
  /** Of task records, `topic/partition/first-last`; of dead letters `topic/partition/offset`. */
  source: 'penstock-source',
  part: 'penstock-part',
  replay: 'penstock-replay',
  series: 'penstock-series',
  samples: 'penstock-samples',
  /** Of producers: the time of samples that carry none, in ms since the epoch. Of task records: the source's time. */
  timestamp: 'penstock-timestamp',
  /** Of producers: the query string of the HTTP request: `precision=ms&extra_label=dc=west`. */
  query: 'penstock-query',
  /** Of producers: the path of the HTTP request, for Pushgateway's labels: `/metrics/job/batch/instance/a`. */
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
export function headerOf(headers: RecordHeaders, name: string): string {
  return headers[name]?.toString() ?? '';
}

export function isOwnHeader(name: string): boolean {
  return name.startsWith(PREFIX);
}

/**
 * Error for a record of a format version that this release does not know. Undefined for version 1, and for records of
 * other writers, which have no version header.
 */
export function unknownVersion(headers: RecordHeaders, stage: Stage): PoisonError | undefined {
  const version = otherVersion(headers);
  if (version === undefined) return undefined;
  return new PoisonError(
    stage,
    'unknown_version',
    `${HEADER.version} is ${version}, and this release reads ${FORMAT_VERSION}: ` +
      'upgrade what reads the topic to the release that wrote the record, then redrive it',
  );
}

/** The version that a record says it has, quoted, if this release does not know it. */
export function otherVersion(headers: RecordHeaders): string | undefined {
  const version = headerOf(headers, HEADER.version);
  return headers[HEADER.version] == null || version === FORMAT_VERSION
    ? undefined
    : JSON.stringify(version.slice(0, 20));
}
