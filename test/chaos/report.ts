import type { ChaosResult } from './chaos.ts';
import { FAULT_KINDS } from './plan.ts';

/** The result as a table, and the verdict. */
export function report(result: ChaosResult): string {
  const { verdict, done, planned, maxLag, peakMiB, stalls } = result;
  const hits = done.filter(({ hit }) => hit);
  const faults = FAULT_KINDS.map(
    (kind) => [kind, hits.filter((fault) => fault.kind === kind).length] as const,
  );
  const peak = (prefix: string) =>
    Math.round(
      Math.max(0, ...[...peakMiB].filter(([name]) => name.startsWith(prefix)).map(([, mib]) => mib)),
    );
  const rows: (readonly [string, string | number])[] = [
    ...faults,
    ['faults in all', `${hits.length} of ${planned} planned`],
    ['  that met nothing', done.length - hits.length],
    ['', ''],
    ['records acknowledged', result.acknowledged],
    ['records with unknown outcome', result.unknown],
    ['most lag of workers / drains (records)', `${maxLag.workers} / ${maxLag.drains}`],
    ['recovery after the last fault', `${(result.recoveryMs / 1000).toFixed(1)} s`],
    ['largest worker / drain', `${peak('worker')} / ${peak('drain')} MiB`],
    ['stops cut off at their deadline', result.cutOff],
    ['stalls of the host', `${stalls.count}, ${(stalls.ms / 1000).toFixed(1)} s`],
  ];
  if (verdict !== undefined) {
    const { tasks, delivery, storage } = verdict;
    const { unplanned } = delivery;
    rows.push(
      ['', ''],
      ['records in the ingest topic', verdict.rawRecords],
      ['records in the task topic', verdict.taskRecords],
      ['  of cut transactions, beside them', verdict.aborted],
      ['samples in the task topic', tasks.samples],
      ['  missing', tasks.missing],
      ['  twice', tasks.duplicates],
      ['  out of order', tasks.outOfOrder],
      ['  foreign', tasks.foreign],
      ['requests that a vmagent took again', delivery.repeats],
      ['  of them after an answered one', delivery.repeatsAfterAnswer],
      ['  without a cause, not counted by a drain', `${delivery.withoutCause}, ${delivery.uncounted}`],
      ['  most of one partition', `${delivery.worst.repeats} (bound ${delivery.worst.bound})`],
      ['  evictions not planned, and unexplained', `${unplanned.evictions}, ${unplanned.unexplained}`],
      ['  requests too slow, not planned', unplanned.slow],
      ['samples in storage', storage.stored],
      ['  missing', storage.missing],
      ['  lost by killed vmagents after 2xx', storage.lostByVmagent],
      ['  repeated', storage.repeated],
    );
  }
  const lines = rows.map(([name, value]) => `${name.padEnd(42)}${value}`.trimEnd());
  const outcome =
    result.problems.length === 0
      ? ['PASSED: every sample exactly once in the task topic, in order, and in storage']
      : ['FAILED', ...result.problems.map((problem) => `  ${problem}`)];
  return ['', ...lines, '', ...outcome, ''].join('\n');
}
