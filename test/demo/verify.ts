/** The demo's last act: what is stored is held against what the generator wrote. */
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { styleText } from 'node:util';
import { loadConfig } from '../../src/config/load.ts';
import type { VictoriaMetrics } from '../support/servers/victoriametrics.ts';
import { compareStored, placement, type TrueSeries, type Verdict } from '../support/verify.ts';
import { count } from './display.ts';

const ALL = '{__name__!=""}';
/** vmagents send on in the background: give them this long, ms, since the last sample that came. */
const QUIET_MS = 10_000;

/** What `penstock generate --written` left. */
export function readWritten(file: string): TrueSeries[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as TrueSeries);
}

/** Waits until storage holds as many samples as were written, or nothing more comes; then compares everything. */
export async function verify(
  configFile: string,
  written: TrueSeries[],
  storage: VictoriaMetrics,
): Promise<Verdict> {
  const place = placement(loadConfig({ file: configFile, env: {} }));
  const wanted = written.reduce((sum, { metric, values }) => sum + values.length * place(metric).length, 0);
  let most = -1;
  let quietSince = Date.now();
  for (;;) {
    await storage.flush();
    const stored = await storage.exportSeries(ALL);
    const samples = stored.reduce((sum, { values }) => sum + values.length, 0);
    if (samples > most) quietSince = Date.now();
    most = Math.max(most, samples);
    if (samples >= wanted || Date.now() - quietSince > QUIET_MS) return compareStored(written, place, stored);
    await sleep(500);
  }
}

/** The verdict in lines; the last says whether all is well. */
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
    `${mark(true)} every process of Penstock ended with exit code 0 when it was told to stop`,
    ...problems.map((problem) => paint('red', `  ${problem}`)),
  ];
  const verdictLine = ok
    ? paint('green', 'PASSED: every sample is stored exactly once, through the right vmagent.')
    : paint('red', 'FAILED: what is stored is not what was written.');
  return [...lines, '', verdictLine];
}
