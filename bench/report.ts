import { type CaseResult, mainFigure } from './case-result.ts';
import { targetLines } from './targets.ts';

interface Column {
  readonly title: string;
  readonly cell: (result: CaseResult) => string;
}

const whole = (value: number | undefined) =>
  value === undefined ? '-' : Math.round(value).toLocaleString('en');

const COLUMNS: readonly Column[] = [
  { title: 'CASE', cell: ({ name }) => name },
  { title: 'SERIES', cell: ({ series }) => whole(series) },
  { title: 'PART.', cell: ({ partitions }) => whole(partitions) },
  { title: 'CPU µs/SAMPLE', cell: ({ cpuMicrosPerSample: cpu }) => cpu?.toFixed(3) ?? '-' },
  { title: 'SAMPLES/s', cell: ({ samplesPerSecond }) => whole(samplesPerSecond) },
  { title: 'PEAK MiB', cell: ({ peakMib }) => whole(peakMib) },
  { title: 'SAMPLES/RECORD', cell: ({ samplesPerRecord }) => whole(samplesPerRecord) },
  { title: 'P50 ms', cell: ({ latencyMs }) => whole(latencyMs?.p50) },
  { title: 'P99 ms', cell: ({ latencyMs }) => whole(latencyMs?.p99) },
];

const change = (now: number | undefined, then: number | undefined) =>
  now === undefined || then === undefined ? '-' : `${((now / then - 1) * 100).toFixed(0)} %`;

/**
 * Columns for an older run: its main figure (p99, else CPU, else samples/s), and the changes of that and of the peak.
 */
function comparison(before: readonly CaseResult[]): Column[] {
  const old = ({ name }: CaseResult) => before.find((result) => result.name === name);
  const figure = (result: CaseResult | undefined) => (result === undefined ? undefined : mainFigure(result));
  return [
    {
      title: 'BEFORE',
      cell: (result) => figure(old(result))?.toFixed(result.cpuMicrosPerSample === undefined ? 0 : 3) ?? '-',
    },
    { title: 'CHANGE', cell: (result) => change(figure(result), figure(old(result))) },
    { title: 'OF PEAK', cell: (result) => change(result.peakMib, old(result)?.peakMib) },
  ];
}

/** The results as a table; with an older run, the change of each main figure too. Notes are below. */
export function table(results: readonly CaseResult[], before: readonly CaseResult[] | undefined): string {
  const columns = [...COLUMNS, ...(before === undefined ? [] : comparison(before))];
  const rows = [
    columns.map(({ title }) => title),
    ...results.map((result) => columns.map(({ cell }) => cell(result))),
  ];
  const widths = columns.map((_, at) => Math.max(...rows.map((row) => row[at]!.length)));
  const lines = rows.map((row) =>
    row.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  '),
  );
  return [...lines, ...notes(results, ''), ...paragraph(targetLines(results), '')].join('\n');
}

function notes(results: readonly CaseResult[], bullet: string): string[] {
  return paragraph(
    results.flatMap(({ name, note }) => (note === undefined ? [] : [`${name}: ${note}`])),
    bullet,
  );
}

/** A blank line and the lines, each behind `bullet`; nothing without lines. */
function paragraph(lines: readonly string[], bullet: string): string[] {
  return lines.length === 0 ? [] : ['', ...lines.map((line) => `${bullet}${line}`)];
}

/** The same as a Markdown table. */
export function markdown(results: readonly CaseResult[]): string {
  const row = (cells: readonly string[]) => `| ${cells.join(' | ')} |`;
  return [
    row(COLUMNS.map(({ title }) => title)),
    `|${COLUMNS.map((_, at) => (at === 0 ? '---|' : '---:|')).join('')}`,
    ...results.map((result) => row(COLUMNS.map(({ cell }) => cell(result)))),
    ...notes(results, '- '),
    ...paragraph(targetLines(results), '- '),
  ].join('\n');
}
