import type {
  DeploymentStatus,
  LeftoverStatus,
  NodeStatus,
  PartitionLag,
  Reader,
  ReadingGroup,
} from '../status/deployment.ts';
import { formatTable } from './command.ts';
import { wrap } from './wrap.ts';

/** What a process said of itself, or why it did not. */
export interface ProcessAnswer {
  readonly url: string;
  readonly status?: Readonly<Record<string, unknown>>;
  readonly error?: string;
}

/** The status of a deployment for people: tables, then what an operator should look at. */
export function formatStatus(status: DeploymentStatus, processes: readonly ProcessAnswer[]): string {
  const { ingest, nodes, leftovers, dead_letters: dead, problems } = status;
  const records = dead.records === null ? 'the topic does not exist' : `${dead.records} kept`;
  const parts = [
    ...ingest.map((topic) => ingestLines(topic).join('\n')),
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

function ingestLines({ topic, group, state, members, partitions, lag }: ReadingGroup): string[] {
  const lines = [
    `ingest topic ${topic}: ${partitions.length} partitions, lag ${lag}; group ${group}: ${stateText(state)}`,
  ];
  const behind = partitions.filter((partition) => partition.lag > 0);
  if (behind.length > 0) lines.push(...wrap(`lag by partition  ${behind.map(lagText).join(', ')}`, 18));
  if (members.length === 0) return [...lines, 'no workers'];
  const rows = members.map((member) => [
    member.member,
    member.host,
    ranges(member.partitions),
    String(lagOfMember(member, partitions)),
  ]);
  return [...lines, '', formatTable([['WORKER', 'HOST', 'PARTITIONS', 'LAG'], ...rows])];
}

function nodeRows(nodes: readonly NodeStatus[]): string[][] {
  const rows = nodes.flatMap(({ node, topics }) =>
    topics.map((topic, at) => [
      at === 0 ? node : '',
      topic.routes.join(','),
      String(topic.tasks.length),
      String(topic.lag),
      String(topic.max_lag),
      topic.unread.length < topic.tasks.length ? ranges(topic.unread) : 'all',
      topic.members.length === 0 ? 'none' : [...new Set(topic.members.map(drainText))].join(' '),
    ]),
  );
  return [['NODE', 'ROUTE', 'TASKS', 'LAG', 'MAX LAG', 'UNREAD', 'DRAINS (PARTITIONS)'], ...rows];
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

function drainText({ host, partitions }: Reader): string {
  return `${host} (${partitions.length})`;
}

function processRows(processes: readonly ProcessAnswer[]): string[][] {
  const rows = processes.map(({ url, status, error }) =>
    status === undefined
      ? [url, '-', error ?? '']
      : [url, String(status.command ?? '-'), `${status.phase ?? '-'}, pid ${status.pid ?? '-'}`],
  );
  return [['PROCESS', 'COMMAND', 'SAYS'], ...rows];
}

function lagOfMember({ member }: Reader, partitions: readonly PartitionLag[]): number {
  return partitions.filter((each) => each.member === member).reduce((total, { lag }) => total + lag, 0);
}

function lagText({ partition, lag }: PartitionLag): string {
  return `${partition}: ${lag}`;
}

/** Numbers in ascending order as ranges: `0-3,7`. */
export function ranges(numbers: readonly number[]): string {
  if (numbers.length === 0) return '-';
  const parts: string[] = [];
  for (let start = 0; start < numbers.length; ) {
    let end = start;
    while (numbers[end + 1] === numbers[end]! + 1) end++;
    parts.push(end === start ? `${numbers[start]}` : `${numbers[start]}-${numbers[end]}`);
    start = end + 1;
  }
  return parts.join(',');
}
