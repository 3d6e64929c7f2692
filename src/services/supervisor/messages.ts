import type { Readiness } from '../../io/telemetry/admin-server.ts';
import type { MetricValues } from '../../io/telemetry/merge.ts';

/** The texts of a configuration's own files, by path: what the processes of one worker have in common. */
export type ConfigTexts = Readonly<Record<string, string>>;

/** What a process says of itself. */
export interface ProcessReport {
  /** Whether it has begun to work; until then it waits for Kafka. */
  readonly running: boolean;
  readonly readiness: Readiness;
  readonly status: object;
  readonly metrics: MetricValues;
}

/** Supervisor ▸ process. */
export type Order =
  | { readonly kind: 'start'; readonly texts: ConfigTexts }
  /** Makes ready to go by these texts. Answered with `prepared`; nothing changes before `commit`. */
  | { readonly kind: 'prepare'; readonly reload: number; readonly texts: ConfigTexts }
  /** Goes by them from now on. Answered with `committed`. */
  | { readonly kind: 'commit'; readonly reload: number }
  /** Goes on as it is. Not answered. */
  | { readonly kind: 'abort'; readonly reload: number }
  | { readonly kind: 'report' }
  | { readonly kind: 'stop' };

/** Process ▸ supervisor. */
export type Message =
  | { readonly kind: 'report'; readonly report: ProcessReport }
  /** `fault`: why it cannot go by the texts. */
  | { readonly kind: 'prepared'; readonly reload: number; readonly fault: string | undefined }
  | { readonly kind: 'committed'; readonly reload: number }
  /** It ends, for a reason that only the operator can fix. `wrongConfig`: that is the configuration. */
  | { readonly kind: 'unable'; readonly wrongConfig: boolean; readonly reason: string };
