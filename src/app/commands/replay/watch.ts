import { setTimeout as delay } from 'node:timers/promises';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import type { ExpectedDeployment } from '../../../services/status/expected.ts';
import { observe } from '../../../services/status/observe.ts';
import { reportStatus } from '../../../services/status/report.ts';

/** Calls `look` at once and every `everyMs`, until `ended`. Its errors are ignored: Kafka may be away. */
export async function watch(everyMs: number, ended: AbortSignal, look: () => Promise<void>): Promise<void> {
  while (!ended.aborted) {
    await look().catch(() => undefined);
    await delay(everyMs, undefined, { signal: ended, ref: false }).catch(() => undefined);
  }
}

/** Records that the workers and drains of a deployment have not committed yet. */
export async function liveLag(expected: ExpectedDeployment, admin: KafkaAdmin): Promise<number> {
  const { ingest, nodes } = reportStatus(expected, await observe(expected, admin));
  return [...ingest, ...nodes].reduce((sum, { lag }) => sum + lag, 0);
}
