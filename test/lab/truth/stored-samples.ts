/** Compares what VictoriaMetrics has stored with what was written: every series, every timestamp, every value. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../../../src/app/config/load.ts';
import { createOwnership } from '../../../src/core/hash/ownership.ts';
import { labelsFrom } from '../../../src/core/model/labels.ts';
import { compileRoutes } from '../../../src/core/route/route.ts';
import type { ExportedSeries, VictoriaMetrics } from '../servers/victoriametrics.ts';
import { Problems } from './problems.ts';

/** A series as written, in the shape of VictoriaMetrics' export; a stale marker is null or NaN. */
export interface TrueSeries {
  metric: Readonly<Record<string, string>>;
  values: readonly (number | null)[];
  timestamps: readonly number[];
}

/** Placement of a series by the configuration, one for each route that takes it. */
export interface Placement {
  route: string;
  /** Route and values of the group labels. */
  group: string;
  task: number;
  node: string;
  /** Labels as the drain sends them: after relabeling, with the task label. */
  labels: Record<string, string>;
}

export type Place = (labels: Readonly<Record<string, string>>) => Placement[];

/** The label that each vmagent of a test adds to what it forwards, with its name. */
export const NODE_LABEL = 'vmagent';

export interface Verdict {
  ok: boolean;
  /** Differences, the first of each kind in words. Empty: none. */
  problems: string[];
  /** Expected samples: those written, once for each route that takes the series. */
  samplesExpected: number;
  samplesStored: number;
  seriesExpected: number;
  seriesStored: number;
  /** Expected samples stored once, with their value. */
  samplesEqual: number;
  samplesMissing: number;
  samplesWrong: number;
  /** Unexpected samples: repeated, or of no expected series. */
  samplesExtra: number;
  /** Groups by the node that their samples came through. */
  groupsByNode: Map<string, number>;
  groups: number;
  /** Groups whose samples came through more than one node. */
  groupsOnSeveralNodes: string[];
  /** Groups on one node that is not the one of hash 2. */
  groupsOnWrongNode: string[];
}

/** Placement of series as in `penstock explain`, by the same compiled routes and hash 2. */
export function placement(config: Config): Place {
  const routes = compileRoutes(config);
  const ownership = createOwnership(routes, config.nodes, config.ownership);
  return (metric) => {
    const labels = labelsFrom(metric);
    return routes.flatMap((route) => {
      if (route.selectors.length > 0 && !route.selectors.some((selector) => selector.matches(labels)))
        return [];
      const relabeled = route.relabeler.apply(labels);
      if (relabeled === undefined || relabeled.length === 0) return [];
      const { task, groupKey } = route.task.explain(relabeled);
      const sent = Object.fromEntries(relabeled.map(({ name, value }) => [name, value]));
      return {
        route: route.name,
        group: `${route.name} ${groupKey}`,
        task,
        node: ownership.owner(route.topic, task, 0),
        labels: { ...sent, [route.taskLabel]: String(task) },
      };
    });
  };
}

/** vmagents send in the background: stop waiting after this long, in ms, without a new sample. */
const QUIET_MS = 10_000;

/** The stored series, once they have `wanted` samples or nothing more comes. */
export async function settled(
  storage: VictoriaMetrics,
  match: string,
  wanted: number,
  quietMs = QUIET_MS,
): Promise<ExportedSeries[]> {
  let most = -1;
  let quietSince = Date.now();
  for (;;) {
    await storage.flush();
    const stored = await storage.exportSeries(match);
    const samples = stored.reduce((sum, { values }) => sum + values.length, 0);
    if (samples > most) quietSince = Date.now();
    most = Math.max(most, samples);
    if (samples >= wanted || Date.now() - quietSince > quietMs) return stored;
    await sleep(500);
  }
}

interface Expected {
  readonly place: Placement;
  /** Timestamp ▸ value. */
  readonly samples: Map<number, number>;
}

/** Compares an export with the truth. The node label names the vmagent that a stored series came through. */
export function compareStored(
  truth: Iterable<TrueSeries>,
  place: Place,
  stored: Iterable<ExportedSeries>,
): Verdict {
  const expected = expectedSeries(truth, place);
  const nodesOfGroup = new Map<string, Set<string>>();
  const nodeByHash = new Map([...expected.values()].map(({ place: { group, node } }) => [group, node]));
  const seen = new Map<string, Map<number, number>>();
  const problems = new Problems();
  const storedSeries = new Set<string>();
  const count = { stored: 0, equal: 0, wrong: 0, extra: 0 };

  for (const { metric, values, timestamps } of stored) {
    const { [NODE_LABEL]: node = '(none)', ...labels } = metric;
    const id = seriesId(labels);
    storedSeries.add(`${node} ${id}`);
    count.stored += timestamps.length;
    const entry = expected.get(id);
    if (entry === undefined) {
      count.extra += timestamps.length;
      problems.add('a series that was never written is stored', id);
      continue;
    }
    const nodes = nodesOfGroup.get(entry.place.group) ?? new Set();
    nodesOfGroup.set(entry.place.group, nodes.add(node));
    const times = seen.get(id) ?? new Map<number, number>();
    seen.set(id, times);
    for (const [at, time] of timestamps.entries()) {
      const value = values[at] ?? Number.NaN;
      const wanted = entry.samples.get(time);
      if (wanted === undefined) {
        count.extra += 1;
        problems.add('a sample that was never written is stored', `${id} at ${time}`);
      } else if (times.has(time)) {
        count.extra += 1;
        problems.add('a sample is stored more than once', `${id} at ${time}`);
      } else if (!Object.is(wanted, value)) {
        count.wrong += 1;
        problems.add('a value differs', `${id} at ${time}: wrote ${wanted}, stored ${value}`);
      } else {
        count.equal += 1;
      }
      times.set(time, value);
    }
  }

  let samplesExpected = 0;
  for (const [id, { samples }] of expected) {
    samplesExpected += samples.size;
    const times = seen.get(id);
    for (const time of samples.keys()) {
      if (!times?.has(time)) problems.add('a sample is missing', `${id} at ${time}`);
    }
  }
  const groupsOnSeveralNodes = [...nodesOfGroup]
    .filter(([, nodes]) => nodes.size > 1)
    .map(([group]) => group);
  const single = [...nodesOfGroup].filter(([, nodes]) => nodes.size === 1);
  const groupsOnWrongNode = single
    .filter(([group, nodes]) => !nodes.has(nodeByHash.get(group)!))
    .map(([group]) => group);
  for (const group of groupsOnSeveralNodes) {
    problems.add('a group is on several vmagents', `${group}: ${[...nodesOfGroup.get(group)!].join(', ')}`);
  }
  for (const group of groupsOnWrongNode) {
    const [node] = nodesOfGroup.get(group)!;
    problems.add(
      'a group is on another vmagent than hash 2 names',
      `${group}: ${node}, not ${nodeByHash.get(group)}`,
    );
  }
  const groupsByNode = new Map<string, number>();
  for (const [, [node]] of single) groupsByNode.set(node!, (groupsByNode.get(node!) ?? 0) + 1);
  return {
    ok: problems.lines().length === 0,
    problems: problems.lines(),
    samplesExpected,
    samplesStored: count.stored,
    seriesExpected: expected.size,
    seriesStored: storedSeries.size,
    samplesEqual: count.equal,
    samplesMissing: samplesExpected - count.equal - count.wrong,
    samplesWrong: count.wrong,
    samplesExtra: count.extra,
    groupsByNode,
    groups: nodeByHash.size,
    groupsOnSeveralNodes,
    groupsOnWrongNode,
  };
}

/** @throws Error for an ambiguous truth: two samples of one series at one time */
function expectedSeries(truth: Iterable<TrueSeries>, place: Place): Map<string, Expected> {
  const expected = new Map<string, Expected>();
  for (const { metric, values, timestamps } of truth) {
    for (const placed of place(metric)) {
      const id = seriesId(placed.labels);
      const entry = expected.get(id) ?? { place: placed, samples: new Map() };
      expected.set(id, entry);
      for (const [at, time] of timestamps.entries()) {
        if (entry.samples.has(time)) {
          throw new Error(`two samples of ${id} at ${time} were written: this truth cannot be compared`);
        }
        entry.samples.set(time, values[at] ?? Number.NaN);
      }
    }
  }
  return expected;
}

/** `{name="value",…}`, sorted by name. */
export function seriesId(labels: Readonly<Record<string, string>>): string {
  const pairs = Object.entries(labels).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${pairs.map(([name, value]) => `${name}=${JSON.stringify(value)}`).join(',')}}`;
}
