import type { CaseResult } from './cases.ts';

/** The results as a table; beside an older run, how the CPU time has changed. */
export function table(results: readonly CaseResult[], before: readonly CaseResult[] | undefined): string {
  const head = [
    'CASE',
    'SERIES',
    'PARTITIONS',
    'CPU µs/SAMPLE',
    'SAMPLES/s',
    'PEAK MiB',
    ...(before ? ['BEFORE', 'CHANGE'] : []),
  ];
  const rows = results.map((result) => {
    const old = before?.find(({ name }) => name === result.name);
    const change = old && `${((result.cpuMicrosPerSample / old.cpuMicrosPerSample - 1) * 100).toFixed(0)} %`;
    return [
      result.name,
      result.series.toLocaleString('en'),
      String(result.partitions ?? '-'),
      result.cpuMicrosPerSample.toFixed(3),
      result.samplesPerSecond === undefined ? '-' : Math.round(result.samplesPerSecond).toLocaleString('en'),
      result.peakMib?.toFixed(0) ?? '-',
      ...(before ? [old?.cpuMicrosPerSample.toFixed(3) ?? '-', change ?? '-'] : []),
    ];
  });
  const widths = head.map((title, at) => Math.max(title.length, ...rows.map((row) => row[at]!.length)));
  const line = (cells: readonly string[]) =>
    cells.map((cell, at) => (at === 0 ? cell.padEnd(widths[at]!) : cell.padStart(widths[at]!))).join('  ');
  return [line(head), ...rows.map(line)].join('\n');
}
