import type { Readiness } from '../../io/telemetry/admin-server.ts';
import type { MetricValues } from '../../io/telemetry/merge.ts';

/** Texts of the configuration's own files, by path. All processes of a worker run with the same ones. */
export type ConfigTexts = Readonly<Record<string, string>>;

/** State and metrics of a process, sent by the process itself. */
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
  /** First phase of a reload. Answered with `prepared`; nothing changes before `commit`. */
  | { readonly kind: 'prepare'; readonly reload: number; readonly texts: ConfigTexts }
  /** Second phase: the prepared texts take effect. Answered with `committed`. */
  | { readonly kind: 'commit'; readonly reload: number }
  /** Drops the prepared texts. Not answered. */
  | { readonly kind: 'abort'; readonly reload: number }
  | { readonly kind: 'report' }
  | { readonly kind: 'stop' };

/** Process ▸ supervisor. */
export type Message =
  | { readonly kind: 'report'; readonly report: ProcessReport }
  /** `fault`: why the texts cannot take effect; undefined: they can. */
  | { readonly kind: 'prepared'; readonly reload: number; readonly fault: string | undefined }
  | { readonly kind: 'committed'; readonly reload: number }
  /** The process ends for a reason that only the operator can fix. `wrongConfig`: the configuration is at fault. */
  | { readonly kind: 'unable'; readonly wrongConfig: boolean; readonly reason: string };
