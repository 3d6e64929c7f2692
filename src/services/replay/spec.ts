/** Where a replay writes to. */
export type ReplayTargetSpec =
  | {
      readonly kind: 'route';
      readonly route: string;
      /** The topic that is written to. */
      readonly topic: string;
      /** It is the route's own task topic. */
      readonly live: boolean;
    }
  | {
      readonly kind: 'storage';
      /** Without a user name or password. */
      readonly url: string;
      /** Absent: series go as they were received. */
      readonly route?: string;
    }
  | {
      readonly kind: 'file';
      /** An absolute path; `-` is standard output. */
      readonly file: string;
      readonly route?: string;
    };

/** What a replay replays, and where to. It is stored with its positions, so that it can go on on any machine. */
export interface ReplaySpec {
  readonly topic: string;
  /** Kafka's id of it when the range was fixed; absent where brokers did not say. */
  readonly topicId?: string;
  readonly target: ReplayTargetSpec;
  /** Selectors on series as received; any of them lets one in. Absent: every series. */
  readonly match?: readonly string[];
  /** One series in so many, by the hash of its labels as received. Absent: every series. */
  readonly sample?: number;
  /** Of `--by sample-time`: samples of fromMs ≤ time < toMs alone. Milliseconds since the epoch. */
  readonly fromMs?: number;
  readonly toMs?: number;
}
