/** Figures of running processes, read from their /metrics. */

/** One line of the Prometheus text format. */
interface MetricLine {
  name: string;
  labels: Record<string, string>;
  value: number;
}

/** One scrape of one process. */
export class MetricsPage {
  readonly #lines: MetricLine[];

  constructor(text: string) {
    this.#lines = text
      .split('\n')
      .filter((line) => line !== '' && !line.startsWith('#'))
      .map(parseLine);
  }

  /** Series of a metric that have these labels. */
  find(name: string, labels: Record<string, string> = {}): MetricLine[] {
    return this.#lines.filter(
      (line) =>
        line.name === name && Object.entries(labels).every(([key, value]) => line.labels[key] === value),
    );
  }

  /** Value of one series, written as on the page; undefined if absent. */
  value(series: string): number | undefined {
    const { name, labels } = parseLine(`${series} 0`);
    return this.find(name, labels)[0]?.value;
  }

  /** 0 without any. */
  sum(name: string, labels: Record<string, string> = {}): number {
    return this.find(name, labels).reduce((sum, { value }) => sum + value, 0);
  }
}

function parseLine(line: string): MetricLine {
  const [, name = '', inside = '', value = ''] = /^([^\s{]+)(?:\{(.*)\})?\s+(\S+)/.exec(line) ?? [];
  const labels = [...inside.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key!, text!]);
  return { name, labels: Object.fromEntries(labels), value: Number(value) };
}

/** /metrics of a process. @throws Error while it does not answer */
export async function readMetrics({ admin }: { readonly admin: string }): Promise<MetricsPage> {
  const response = await fetch(`${admin}/metrics`, { signal: AbortSignal.timeout(10_000) });
  const text = await response.text();
  if (!response.ok) throw new Error(`${admin}/metrics answers ${response.status}`);
  return new MetricsPage(text);
}

/** Growth of a counter, over its newest readings within `windowMs`. */
export class Rate {
  readonly #windowMs: number;
  readonly #readings: { atMs: number; value: number }[] = [];

  constructor(windowMs = 4_000) {
    this.#windowMs = windowMs;
  }

  add(value: number, atMs: number): void {
    const readings = this.#readings;
    readings.push({ atMs, value });
    while (readings.length > 2 && atMs - readings[1]!.atMs >= this.#windowMs) readings.shift();
  }

  /** Growth per second; 0 before there are two readings. */
  get perSecond(): number {
    const first = this.#readings[0];
    const last = this.#readings.at(-1);
    if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
    return ((last.value - first.value) / (last.atMs - first.atMs)) * 1000;
  }

  /** Growth over the window. */
  get growth(): number {
    return (this.#readings.at(-1)?.value ?? 0) - (this.#readings[0]?.value ?? 0);
  }
}
