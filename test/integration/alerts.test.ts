/** Every alert of deploy/vmalert fires when it should, and only then: rules and series through vmalert-tool. */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { parse } from 'yaml';
import { createRunFolder, ROOT, removeRunFolder } from '../lab/cache.ts';
import { findVmalertTool } from '../lab/servers/victoria-binaries.ts';

/** Values by series, in steps of 30 s: see promtool's notation, `0+1x20` counts from 0 to 20. */
type Series = Readonly<Record<string, string>>;

interface Case {
  /** With these series it fires. */
  readonly fires: readonly Series[];
  /** With these it does not. */
  readonly quiet: readonly Series[];
  /** In minutes from the beginning. Default: 10. */
  readonly after?: number;
}

/** Ten seconds; on a busy machine a minute. */
const TOOL_TIMEOUT_MS = 300_000;

const WORKER = 'job="penstock-worker",instance="w"';
/** Counters: one that stands still, and one that has moved once, five minutes ago. A series that begins is an increase. */
const LONG_AFTER = 80;
const STILL = '5x200';
const MOVED = '0x150 1x50';

const counter = (name: string): Case => ({
  after: LONG_AFTER,
  fires: [{ [name]: MOVED }],
  quiet: [{ [name]: STILL }],
});
const lookups = (result: string) => `penstock_series_cache_lookups_total{${WORKER},result="${result}"}`;
const newSeries = `penstock_route_new_series_total{${WORKER},route="r"}`;
const newWithout = `penstock_route_new_series_without_label_total{${WORKER},route="r",label="service"}`;

const CASES: Readonly<Record<string, Case>> = {
  PenstockProcessDown: {
    fires: [{ [`up{${WORKER}}`]: '1 0x30' }],
    quiet: [{ [`up{${WORKER}}`]: '1 0 0 1x30' }, { 'up{job="other"}': '0x30' }],
  },
  PenstockNotReady: {
    fires: [{ [`penstock_ready{${WORKER}}`]: '1 0x30' }],
    quiet: [{ [`penstock_ready{${WORKER}}`]: '0 0 0 1x30' }],
  },
  PenstockGroupSilent: {
    fires: [{ [`penstock_group_silent_seconds{${WORKER},group="g"}`]: '0+30x30' }],
    quiet: [{ [`penstock_group_silent_seconds{${WORKER},group="g"}`]: '40x30' }],
  },
  PenstockRestarts: {
    after: LONG_AFTER,
    fires: [
      { [`penstock_worker_process_restarts_total{${WORKER},process="0"}`]: MOVED },
      { [`process_start_time_seconds{${WORKER}}`]: '1x150 2 2 3 3 4x30' },
    ],
    quiet: [
      { [`penstock_worker_process_restarts_total{${WORKER},process="0"}`]: STILL },
      { [`process_start_time_seconds{${WORKER}}`]: '1x150 2x50' },
    ],
  },
  PenstockReloadRefused: {
    fires: [{ [`penstock_config_last_reload_successful{${WORKER}}`]: '1 0x30' }],
    quiet: [{ [`penstock_config_last_reload_successful{${WORKER}}`]: '0 0 1x30' }],
  },
  PenstockConfigurationsDiffer: {
    after: LONG_AFTER,
    fires: [
      {
        [`penstock_config_info{${WORKER},hash="a"}`]: '1x200',
        'penstock_config_info{job="penstock-worker",instance="x",hash="b"}': '1x200',
      },
    ],
    quiet: [
      {
        [`penstock_config_info{${WORKER},hash="a"}`]: '1x200',
        'penstock_config_info{job="penstock-worker",instance="x",hash="a"}': '1x200',
        'penstock_config_info{job="other",instance="x",hash="b"}': '1x200',
      },
    ],
  },
  PenstockPartitionsUnread: {
    fires: [{ 'penstock_unread_partitions{group="g",topic="t"}': '0 2x30' }],
    quiet: [{ 'penstock_unread_partitions{group="g",topic="t"}': '0 2 2 0x30' }],
  },
  PenstockRecordsWait: {
    fires: [{ 'penstock_consumer_lag_seconds{group="g",topic="t",partition="1"}': '0+60x30' }],
    quiet: [
      { 'penstock_consumer_lag_seconds{group="g",topic="t",partition="1"}': '250x30' },
      { 'penstock_consumer_lag_seconds{group="g",topic="t",partition="1"}': '900x3 0x30' },
    ],
  },
  PenstockLagUnknown: {
    fires: [{ 'penstock_consumer_lag_unknown_partitions{group="g",topic="t"}': '0 1x30' }],
    quiet: [{ 'penstock_consumer_lag_unknown_partitions{group="g",topic="t"}': '0x30' }],
  },
  PenstockLagGrows: {
    after: 25,
    fires: [{ 'penstock_consumer_lag_records{group="g",topic="t",partition="1"}': '20000+100x60' }],
    quiet: [
      { 'penstock_consumer_lag_records{group="g",topic="t",partition="1"}': '20000-100x60' },
      {
        // One partition that two processes tell of counts once.
        'penstock_consumer_lag_records{group="g",topic="t",partition="1",instance="a"}': '6000+1x60',
        'penstock_consumer_lag_records{group="g",topic="t",partition="1",instance="b"}': '6000+1x60',
      },
    ],
  },
  PenstockDeadLetters: {
    fires: [
      { 'penstock_dead_letters_total{topic="t",stage="decode",reason="r"}': '0x15 1x5' },
      { 'penstock_dead_letters_total{topic="t",stage="decode",reason="r"}': '_x15 1x5' },
    ],
    quiet: [{ 'penstock_dead_letters_total{topic="t",stage="decode",reason="r"}': STILL }],
  },
  PenstockDefect: counter('penstock_defects_total{topic="t"}'),
  PenstockRecordsLost: counter('penstock_offset_gap_records_total{topic="t",reason="retention"}'),
  PenstockPartitionHeldUp: {
    fires: [{ 'penstock_held_up_partitions{topic="t",partition="0"}': '_ 1x30' }],
    quiet: [{ 'penstock_held_up_partitions{topic="t",partition="0"}': '1 stale _x30' }],
  },
  PenstockBatchesSetAside: counter('penstock_corrupt_batches_total{topic="t"}'),
  PenstockPartsMissing: {
    after: LONG_AFTER,
    fires: [{ 'penstock_source_faults_total{topic="t",fault="missing"}': MOVED }],
    quiet: [{ 'penstock_source_faults_total{topic="t",fault="repeated"}': MOVED }],
  },
  PenstockSchemaMissing: {
    fires: [{ [`penstock_schema_waiting_partitions{${WORKER}}`]: '1x30' }],
    quiet: [{ [`penstock_schema_waiting_partitions{${WORKER}}`]: '1x5 0x30' }],
  },
  PenstockUnstorableTimes: counter('penstock_unstorable_samples_total{topic="t",kind="past"}'),
  PenstockLateSamples: {
    after: 20,
    fires: [{ 'penstock_late_samples_total{node="n",route="r"}': '0+100x60' }],
    quiet: [{ 'penstock_late_samples_total{node="n",route="r"}': '0 500 500x60' }],
  },
  PenstockSeriesCacheSmall: {
    after: 60,
    fires: [{ [lookups('unkept')]: '0+5x200', [lookups('predicted')]: '0+100x200' }],
    quiet: [{ [lookups('unkept')]: '0+5x200', [lookups('predicted')]: '0+1000x200' }],
  },
  PenstockSamplesWithoutRoute: {
    after: 20,
    fires: [{ [`penstock_dropped_samples_total{${WORKER},reason="no_route",route=""}`]: '0+1x60' }],
    quiet: [{ [`penstock_dropped_samples_total{${WORKER},reason="relabel",route="r"}`]: '0+1x60' }],
  },
  PenstockGroupLabelLost: {
    fires: [{ [newSeries]: '0+10x60', [newWithout]: '0+10x60' }],
    quiet: [{ [newSeries]: '0+10x60', [newWithout]: '0+5x60' }],
  },
  PenstockDeliveryFails: {
    fires: [{ 'penstock_deliver_retries_total{node="n",reason="http_503"}': '0+30x60' }],
    quiet: [{ 'penstock_deliver_retries_total{node="n",reason="http_503"}': '0 3 3x60' }],
  },
  PenstockPartitionNotLetGo: {
    after: 20,
    fires: [{ 'penstock_drain_waiting_for_owner{job="penstock-drain",topic="t",partition="0"}': '1x60' }],
    quiet: [
      { 'penstock_drain_waiting_for_owner{job="penstock-drain",topic="t",partition="0"}': '1x10 stale _x60' },
    ],
  },
  PenstockTransactionsAbort: {
    after: 25,
    fires: [
      {
        [`penstock_transactions_total{${WORKER},result="failed"}`]: '0+1x60',
        [`penstock_transactions_total{${WORKER},result="committed"}`]: '0+5x60',
      },
    ],
    quiet: [
      {
        [`penstock_transactions_total{${WORKER},result="failed"}`]: '0+1x60',
        [`penstock_transactions_total{${WORKER},result="committed"}`]: '0+100x60',
      },
    ],
  },
};

const RULES = path.join(ROOT, 'deploy/vmalert/penstock.yml');
const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: { alert: string }[] }[] };
const rules = groups.flatMap((group) => group.rules);

/** A test in the notation of promtool and vmalert-tool. */
function unitTest(alert: string, fires: boolean, at: number, series: Series, after = 10) {
  return {
    name: `${alert} ${fires ? 'fires' : 'is quiet'} (${at + 1})`,
    interval: '30s',
    input_series: Object.entries(series).map(([name, values]) => ({ series: name, values })),
    metricsql_expr_test: [
      {
        expr: `count by (alertname) (ALERTS{alertname="${alert}",alertstate="firing"})`,
        eval_time: `${after}m`,
        exp_samples: fires ? [{ labels: `{alertname="${alert}"}`, value: 1 }] : [],
      },
    ],
  };
}

test('every alert has a case here', () => {
  assert.deepEqual(Object.keys(CASES).sort(), rules.map(({ alert }) => alert).sort());
});

test('every alert fires when it should, and only then', async (t) => {
  const tool = await findVmalertTool();
  if (tool === undefined) return t.skip('no vmalert-tool: it needs a docker daemon, or Go 1.26 to build it');
  const folder = createRunFolder('alerts');
  // A file for each, with its rule alone: the tool evaluates all rules of a file at every step.
  const files = Object.entries(CASES).map(([alert, { fires, quiet, after }]) => {
    const file = (kind: string) => path.join(folder, `${alert}.${kind}.yml`);
    const rule = rules.find((each) => each.alert === alert);
    writeFileSync(file('rule'), JSON.stringify({ groups: [{ name: 'g', rules: [rule] }] }));
    const tests = [
      ...fires.map((series, at) => unitTest(alert, true, at, series, after)),
      ...quiet.map((series, at) => unitTest(alert, false, at, series, after)),
    ];
    const cases = { rule_files: [file('rule')], evaluation_interval: '1m', tests };
    writeFileSync(file('cases'), JSON.stringify(cases));
    return file('cases');
  });
  const args = ['unittest', ...files.map((file) => `--files=${file}`)];
  const run = tool.start({ name: 'vmalert-tool', args, folder });
  const exit = await run.waitForExit({ timeoutMs: TOOL_TIMEOUT_MS });
  const log = run.log();
  removeRunFolder(folder);
  assert.equal(exit.code, 0, log);
  assert.equal(log.match(/SUCCESS/g)?.length, files.length, log);
});
