export type ReplayTargetSpec =
  | {
      readonly kind: 'route';
      readonly route: string;
      /** The topic that is written to. */
      readonly topic: string;
      /** `topic` is the route's own task topic. */
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

/** Source and target of a replay. Stored with its positions, so that any machine can resume it. */
export interface ReplaySpec {
  readonly topic: string;
  /** Kafka's id of the topic when the range was fixed; absent: brokers did not tell it. */
  readonly topicId?: string;
  readonly target: ReplayTargetSpec;
  /** Selectors on series as received; a series is taken if any of them matches. Absent: every series. */
  readonly match?: readonly string[];
  /** Takes one series in this many, by the hash of its labels as received. Absent: every series. */
  readonly sample?: number;
  /** With `--by sample-time`: only samples with fromMs ≤ time < toMs. Milliseconds since the epoch. */
  readonly fromMs?: number;
  readonly toMs?: number;
}
