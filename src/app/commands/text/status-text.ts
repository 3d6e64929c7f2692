import type {
  DeploymentStatus,
  LeftoverStatus,
  NodeStatus,
  PartitionLag,
  Reader,
  ReadingGroup,
} from '../../../services/status/deployment.ts';
import { ageText, ranges } from '../../../services/status/texts.ts';
import { formatTable } from './table.ts';
import { wrap } from './wrap.ts';

/** A process's own status, or why it is missing. */
export interface ProcessAnswer {
  readonly url: string;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

/** The status of a deployment for people: tables, then what an operator should look at. */
export function formatStatus(status: DeploymentStatus, processes: readonly ProcessAnswer[]): string {
  const { ingest, nodes, leftovers, dead_letters: dead, problems } = status;
  const records = dead.records === null ? 'the topic does not exist' : `up to ${dead.records} kept`;
  const parts = [
    ...ingestParts(ingest),
    nodes.length === 0 ? 'no nodes are configured' : formatTable(nodeRows(nodes)),
    ...(leftovers.length > 0 ? [leftovers.flatMap(leftoverLines).join('\n')] : []),
    `dead letters in ${dead.topic}: ${records}`,
    ...(processes.length > 0 ? [formatTable(processRows(processes))] : []),
    problems.length === 0
      ? 'no problems seen'
      : problems.flatMap((problem) => wrap(`! ${problem}.`, 2)).join('\n'),
  ];
  return `${parts.join('\n\n')}\n`;
}

/** The ingest topics, and once for all of them the workers, which are one group. */
function ingestParts(ingest: readonly ReadingGroup[]): string[] {
  const [first] = ingest;
  if (first === undefined) return [];
  const rows = ingest.map(({ topic, partitions, lag, lag_seconds, stuck, unread }) => [
    topic,
    String(partitions.length),
    String(lag),
    waitedText(lag_seconds),
    ranges(stuck),
    partitions.length > 0 && unread.length === partitions.length ? 'all' : ranges(unread),
    lagByPartition(partitions),
  ]);
  const header = ['INGEST TOPIC', 'PARTITIONS', 'LAG', 'WAITS', 'STUCK', 'UNREAD', 'LAG BY PARTITION'];
  const topics = formatTable(withoutEmpty([header, ...rows]));
  const group = `workers, group ${first.group}: ${stateText(first.state)}`;
  if (first.members.length === 0) return [topics, group];
  return [topics, group, formatTable(workerRows(ingest, first.members))];
}

function workerRows(ingest: readonly ReadingGroup[], members: readonly Reader[]): string[][] {
  const rows = members.map(({ member, client, host }) => {
    const parts = ingest.flatMap(({ topic, members: readers, partitions }) => {
      const reads = readers.find((each) => each.member === member)?.partitions ?? [];
      if (reads.length === 0) return [];
      return [{ topic, reads, lag: lagOfMember(member, partitions) }];
    });
    const reads = parts.map((each) =>
      ingest.length === 1 ? ranges(each.reads) : `${each.topic} ${ranges(each.reads)}`,
    );
    const lag = parts.reduce((total, each) => total + each.lag, 0);
    return [client, host, reads.join('; ') || '-', String(lag)];
  });
  return [['WORKER', 'HOST', 'PARTITIONS', 'LAG'], ...rows.sort(byText)];
}

function nodeRows(nodes: readonly NodeStatus[]): string[][] {
  const rows = nodes.flatMap(({ node, topics }) =>
    topics.map((topic, at) => [
      at === 0 ? node : '',
      topic.routes.join(','),
      ranges(topic.tasks),
      String(topic.lag),
      String(topic.max_lag),
      waitedText(topic.lag_seconds),
      ranges(topic.stuck),
      topic.unread.length < topic.tasks.length ? ranges(topic.unread) : 'all',
      topic.members.length === 0 ? 'none' : topic.members.map(drainText).sort().join(' '),
    ]),
  );
  const header = ['NODE', 'ROUTE', 'TASKS', 'LAG', 'MAX LAG', 'WAITS', 'STUCK', 'UNREAD', 'DRAINS (TASKS)'];
  return [header, ...rows];
}

/** Drops the last column if it is empty. */
function withoutEmpty(rows: readonly string[][]): string[][] {
  const isEmpty = rows.slice(1).every((row) => row.at(-1) === '');
  return isEmpty ? rows.map((row) => row.slice(0, -1)) : [...rows];
}

function lagByPartition(partitions: readonly PartitionLag[]): string {
  const behind = partitions.filter(({ lag }) => lag > 0);
  if (partitions.length === 1) return '';
  return behind.map(({ partition, lag }) => `${partition}: ${lag}`).join(', ');
}

function leftoverLines({ node, topic, needed_for }: LeftoverStatus): string[] {
  const what =
    needed_for.length === 0
      ? `penstock forget ${node} removes it`
      : `partition ${ranges(needed_for)} has gone to no other node yet`;
  return wrap(`left behind on ${topic} by ${node}, which is not configured: ${what}`, 2);
}

/** Kafka calls a group that nobody ever joined dead. */
function stateText(state: string): string {
  return state === 'Dead' ? 'nobody has joined it' : state;
}

function waitedText(seconds: number | null): string {
  if (seconds === null) return '?';
  return seconds === 0 ? '-' : ageText(seconds);
}

function drainText({ host, partitions }: Reader): string {
  return `${host} (${partitions.length})`;
}

function processRows(processes: readonly ProcessAnswer[]): string[][] {
  const rows = processes.map(({ url, status, error }) =>
    status === undefined ? [url, '-', error ?? ''] : [url, String(status.command ?? '-'), saysText(status)],
  );
  return [['PROCESS', 'COMMAND', 'SAYS'], ...rows];
}

/** Processes older than 0.1.0 do not report readiness. */
function saysText({ phase, pid, not_ready }: Readonly<Record<string, unknown>>): string {
  const says = `${phase ?? '-'}, pid ${pid ?? '-'}`;
  return typeof not_ready === 'string' ? `${says}, not ready: ${not_ready}` : says;
}

function lagOfMember(member: string, partitions: readonly PartitionLag[]): number {
  return partitions.filter((each) => each.member === member).reduce((total, { lag }) => total + lag, 0);
}

function byText(a: readonly string[], b: readonly string[]): number {
  return a.join() < b.join() ? -1 : 1;
}
