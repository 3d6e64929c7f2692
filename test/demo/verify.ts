/** The end of the demo: compares what is stored, raw samples and aggregates, with what the generator wrote. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { loadConfig } from '../../src/app/config/load.ts';
import type { VictoriaMetrics } from '../lab/servers/victoriametrics.ts';
import {
  type AggregateVerdict,
  compareAggregates,
  expectedAggregates,
  type InputSeries,
  windowEnds,
} from '../lab/truth/aggregates.ts';
import {
  compareStored,
  type Place,
  placement,
  type Verdict as RawVerdict,
  settled,
  type TrueSeries,
} from '../lab/truth/stored-samples.ts';
import { WINDOW_MS } from './configuration.ts';
import { count } from './display.ts';

/** Raw samples; the names of aggregates have a colon. */
const RAW = '{__name__!~".*:.*"}';
const AGGREGATES = '{__name__=~".+:.+"}';
/** Most time for the last window to reach storage: a window waits for late samples. */
const FLUSH_MS = 3 * WINDOW_MS;
const SHOWN_PROBLEMS = 5;

/** Reads the output of `penstock generate --written`. */
export function readWritten(file: string): TrueSeries[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TrueSeries);
}

export interface Verdict extends RawVerdict {
  /** Undefined if the vmagents cannot aggregate. */
  readonly aggregates: AggregateVerdict | undefined;
}

/**
 * Waits until storage holds all samples, or nothing more comes; then compares everything.
 *
 * @param aggregatesFrom time of the first samples at the vmagents, ms since the epoch: samples written before may have
 *   come after their window had closed. Undefined if the vmagents cannot aggregate.
 */
export async function verify(
  configFile: string,
  written: TrueSeries[],
  storage: VictoriaMetrics,
  aggregatesFrom: number | undefined,
): Promise<Verdict> {
  const place = placement(loadConfig({ file: configFile, env: {} }));
  const wanted = written.reduce((sum, { metric, values }) => sum + values.length * place(metric).length, 0);
  const stored = await settled(storage, RAW, wanted);
  const verdict = compareStored(written, place, stored);
  if (aggregatesFrom === undefined) return { ...verdict, aggregates: undefined };
  const ends = windowEnds(aggregatesFrom, lastTime(written), WINDOW_MS);
  const windows = { intervalMs: WINDOW_MS, ends };
  const expected = expectedAggregates(inputOf(written, place), windows);
  const found = () => storage.exportSeries(AGGREGATES);
  const deadline = Date.now() + FLUSH_MS;
  let compared = compareAggregates(expected, await found(), windows);
  while (compared.equal < compared.expected && Date.now() < deadline) {
    await sleep(1000);
    await storage.flush();
    compared = compareAggregates(expected, await found(), windows);
  }
  return { ...verdict, aggregates: compared, ok: verdict.ok && compared.problems.length === 0 };
}

function lastTime(written: readonly TrueSeries[]): number {
  return written.reduce((last, { timestamps }) => Math.max(last, timestamps.at(-1) ?? last), 0);
}

function inputOf(written: readonly TrueSeries[], place: Place): InputSeries[] {
  return written.flatMap(({ metric, timestamps, values }) => {
    const samples = timestamps.map((time, at) => [time, values[at] ?? Number.NaN] as const);
    return place(metric).map(({ labels }) => ({ labels, samples }));
  });
}

/** The verdict in lines; the last is the overall result. */
export function formatVerdict(verdict: Verdict, { color }: { color: boolean }): string[] {
  const mark = (good: boolean) => paint(good ? 'green' : 'red', good ? '✓' : '✗');
  const paint = (style: 'green' | 'red' | 'bold', text: string) =>
    color ? styleText(style, text, { validateStream: false }) : text;
  const { samplesExpected, samplesStored, samplesEqual, samplesExtra, seriesExpected, seriesStored } =
    verdict;
  const { groups, groupsOnSeveralNodes, groupsOnWrongNode, groupsByNode, problems, ok } = verdict;
  const shares = [...groupsByNode].sort().map(([node, number]) => `${node} ${number}`);
  const wrong = samplesExpected - samplesEqual + samplesExtra;
  const lines = [
    `${mark(samplesExpected === samplesStored && wrong === 0)} samples in = samples stored: ` +
      `${count(samplesExpected)} written, ${count(samplesStored)} stored`,
    `  ${count(samplesEqual)} of them compared equal: series, timestamp and value, each once`,
    `${mark(seriesExpected === seriesStored)} series: ${count(seriesExpected)} written, ${count(seriesStored)} stored`,
    `${mark(groupsOnSeveralNodes.length === 0)} every group on exactly one vmagent: ${count(groups)} groups, ` +
      shares.join(', '),
    `${mark(groupsOnSeveralNodes.length + groupsOnWrongNode.length === 0)} and that vmagent is the one that hash 2 names`,
    ...aggregateLines(verdict, mark),
    `${mark(true)} every process of Penstock ended with exit code 0 when it was told to stop`,
    ...problems.map((problem) => paint('red', `  ${problem}`)),
  ];
  const aggregated = verdict.aggregates === undefined ? '' : ', and every aggregate is right';
  const verdictLine = ok
    ? paint('green', `PASSED: every sample is stored exactly once, through the right vmagent${aggregated}.`)
    : paint('red', 'FAILED: what is stored is not what was written.');
  return [...lines, '', verdictLine];
}

function aggregateLines({ aggregates }: Verdict, mark: (good: boolean) => string): string[] {
  if (aggregates === undefined) return [];
  const { expected, equal, problems } = aggregates;
  const more = problems.length - SHOWN_PROBLEMS;
  return [
    `${mark(problems.length === 0)} aggregates of each window of ${WINDOW_MS / 1000} s = the truth: ${count(equal)} of ${count(expected)}`,
    ...problems.slice(0, SHOWN_PROBLEMS).map((problem) => `    ${problem}`),
    ...(more > 0 ? [`    and ${count(more)} more`] : []),
  ];
}
