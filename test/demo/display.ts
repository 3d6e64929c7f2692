/** The demo's table as text. Pure: a snapshot in, lines out. */
import { stripVTControlCharacters, styleText } from 'node:util';

export type State = 'waiting' | 'starting' | 'running' | 'stopping' | 'stopped';

export interface WorkerFigures {
  name: string;
  state: State;
  /** Number of partitions that it reads. */
  assigned: number;
  /** Those of them with a known lag. */
  partitions: number[];
  samplesPerSecond: number;
  /** Records between the committed offset and the end; undefined while unknown. */
  lag: number | undefined;
}

export interface NodeFigures {
  name: string;
  state: State;
  /** Route ▸ number of its tasks. */
  tasks: Record<string, number>;
  samplesPerSecond: number;
  lag: number | undefined;
  /** Recent mean seconds from the scrape to the vmagent's acceptance. */
  latency: number | undefined;
}

export interface Snapshot {
  elapsedSeconds: number;
  totalSeconds: number;
  generator: { state: State; series: number; pods: number; samplesPerSecond: number };
  workers: WorkerFigures[];
  nodes: NodeFigures[];
  /** Samples so far: written, in task topics, accepted by vmagents. */
  totals: { written: number; published: number; delivered: number };
  /** Events so far, oldest first. */
  events: { atSeconds: number; text: string }[];
  /** The next event, one line. */
  next: string;
}

type Style = Parameters<typeof styleText>[0];
type Paint = (style: Style, text: string) => string;
interface Column {
  title: string;
  width: number;
  right?: boolean;
}

const EVENTS_SHOWN = 4;
const BAR_WIDTH = 30;

/** The lines of a snapshot; `color` adds ANSI styles. */
export function formatSnapshot(snapshot: Snapshot, { color }: { color: boolean }): string[] {
  const paint: Paint = (style, text) => (color ? styleText(style, text, { validateStream: false }) : text);
  const { generator, workers, nodes, totals, events, next } = snapshot;
  return [
    `${paint('bold', 'Penstock demo')}   ${clock(snapshot)}   ${bar(snapshot, paint)}`,
    '',
    ...table(
      paint,
      [column('GENERATOR', 12), column('', 10), column('PODS', 21), right('SAMPLES/S'), right('SERIES')],
      [
        [
          'generate',
          state(generator.state, paint),
          `${count(generator.pods)} so far`,
          rate(generator.samplesPerSecond),
          count(generator.series),
        ],
      ],
    ),
    '',
    ...table(
      paint,
      [column('WORKER', 12), column('', 10), column('PARTITIONS', 21), right('SAMPLES/S'), right('LAG')],
      workers.map((worker) => [
        worker.name,
        state(worker.state, paint),
        worker.state === 'running' ? list(worker) : '',
        figure(worker.state, () => rate(worker.samplesPerSecond)),
        figure(worker.state, () => lag(worker.lag)),
      ]),
    ),
    '',
    ...table(
      paint,
      [
        column('VMAGENT', 12),
        column('', 10),
        column('TASKS', 21),
        right('SAMPLES/S'),
        right('LAG'),
        right('LATENCY'),
      ],
      nodes.map((node) => [
        node.name,
        state(node.state, paint),
        tasks(node.tasks),
        figure(node.state, () => rate(node.samplesPerSecond)),
        figure(node.state, () => lag(node.lag)),
        figure(node.state, () => (node.latency === undefined ? '' : `${node.latency.toFixed(2)} s`)),
      ]),
    ),
    '',
    `Samples   ${count(totals.written)} written ▸ ${count(totals.published)} in task topics ▸ ` +
      `${count(totals.delivered)} at vmagents`,
    '',
    ...events
      .slice(-EVENTS_SHOWN)
      .map(({ atSeconds, text }) => paint('dim', `${minutes(atSeconds)}  ${text}`)),
    `${paint('bold', 'Next')}   ${next}`,
  ];
}

/** 12,345 */
export function count(value: number): string {
  return Math.round(value).toLocaleString('en-US');
}

/** 1:05 */
export function minutes(seconds: number): string {
  const whole = Math.max(0, Math.floor(seconds));
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, '0')}`;
}

/** The line cut to `width` characters on screen, styles kept. */
export function fit(line: string, width: number): string {
  const plain = stripVTControlCharacters(line);
  if (plain.length <= width) return line;
  // A narrow terminal, rarely: cut without styles.
  return `${plain.slice(0, Math.max(0, width - 1))}…`;
}

function column(title: string, width: number): Column {
  return { title, width };
}

function right(title: string): Column {
  return { title, width: 10, right: true };
}

function table(paint: Paint, columns: Column[], rows: string[][]): string[] {
  const line = (cells: string[]) =>
    columns
      .map(({ width, right }, at) => pad(cells[at] ?? '', width, right === true))
      .join(' ')
      .trimEnd();
  return [paint('dim', line(columns.map(({ title }) => title))), ...rows.map(line)];
}

function pad(text: string, width: number, toTheRight: boolean): string {
  const spaces = ' '.repeat(Math.max(0, width - stripVTControlCharacters(text).length));
  return toTheRight ? spaces + text : text + spaces;
}

const STATE_STYLE: Record<State, Style> = {
  waiting: 'dim',
  starting: 'yellow',
  running: 'green',
  stopping: 'yellow',
  stopped: 'dim',
};

function state(of: State, paint: Paint): string {
  return paint(STATE_STYLE[of], of === 'waiting' ? 'later' : of);
}

function figure(of: State, show: () => string): string {
  return of === 'running' || of === 'stopping' ? show() : '';
}

function rate(perSecond: number): string {
  return count(perSecond);
}

function lag(records: number | undefined): string {
  return records === undefined ? '…' : count(records);
}

function list({ assigned, partitions }: WorkerFigures): string {
  if (assigned === 0) return 'none yet';
  return partitions.length === assigned ? partitions.join(' ') : `${assigned} of them`;
}

function tasks(byRoute: Record<string, number>): string {
  const entries = Object.entries(byRoute);
  return entries.length === 0 ? '…' : entries.map(([route, number]) => `${number} ${route}`).join(', ');
}

function clock({ elapsedSeconds, totalSeconds }: Snapshot): string {
  return `${minutes(elapsedSeconds)} of ${minutes(totalSeconds)}`;
}

function bar({ elapsedSeconds, totalSeconds }: Snapshot, paint: Paint): string {
  const done = Math.min(BAR_WIDTH, Math.max(0, Math.round((elapsedSeconds / totalSeconds) * BAR_WIDTH)));
  return `${paint('cyan', '━'.repeat(done))}${paint('dim', '─'.repeat(BAR_WIDTH - done))}`;
}
