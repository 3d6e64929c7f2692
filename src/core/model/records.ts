/** A record as read from Kafka. */
export interface SourceRecord {
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, Buffer | string | null | undefined>>;
  /** Number of further headers, which were not read. */
  readonly headersLeftOut?: number;
  /** Kafka timestamp in ms. */
  readonly timestamp: number;
  readonly topic: string;
  readonly partition: number;
  readonly offset: bigint;
  readonly key?: Buffer | null;
}

/** Headers that name the tenant of a record, as received. One object stands for one tenant throughout a step. */
export interface Tenant {
  /** Distinct for distinct headers; '' without any. */
  readonly key: string;
  readonly headers: Readonly<Record<string, Buffer | string>>;
}

/** A record for one partition of a task topic. */
export interface TaskRecord {
  readonly route: number;
  readonly topic: string;
  /** The task: in a task topic the two are the same. */
  readonly partition: number;
  /** Remote write 1.0, snappy. */
  readonly value: Buffer;
  /** Kafka timestamp in ms of the oldest source record in it. */
  readonly timestamp: number;
  readonly tenant: Tenant;
  /** TimeSeries in it, and data points (samples and native histograms). */
  readonly series: number;
  readonly samples: number;
}

/** A record to be written to a given partition. */
export interface OutgoingRecord {
  readonly topic: string;
  readonly partition: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  readonly headers: Readonly<Record<string, string | Buffer | null>>;
  /** Milliseconds since the epoch. */
  readonly timestamp: number;
}
