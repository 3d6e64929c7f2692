import type { Readiness } from '../telemetry/admin-server.ts';
import type { MetricValues } from '../telemetry/merge.ts';

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
  | { readonly kind: 'reload'; readonly texts: ConfigTexts }
  | { readonly kind: 'report' }
  | { readonly kind: 'stop' };

/** Process ▸ supervisor. Answers come in the order of the orders. */
export type Message =
  | { readonly kind: 'report'; readonly report: ProcessReport }
  /** `fault`: why the reload was refused. */
  | { readonly kind: 'reloaded'; readonly fault: string | undefined }
  /** It ends, for a reason that only the operator can mend. `wrongConfig`: that is the configuration. */
  | { readonly kind: 'unable'; readonly wrongConfig: boolean; readonly reason: string };
