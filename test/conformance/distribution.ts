/**
 * How other engines spread series over targets, rebuilt from Penstock's hashes. Penstock does not offer
 * these; they show that its hashes see the same bytes, and they are what `penstock import` can lean on.
 */
import { streamMetricsRouteHash } from '../../src/core/hash/stream-metrics-route.ts';
import { xxh64 } from '../../src/core/hash/xxhash64.ts';
import type { Labels } from '../../src/core/model/labels.ts';

export interface RouteScenario {
  readonly mode: number;
  readonly filter_labels: readonly string[];
  readonly upstreams: number;
}

/** stream-metrics-route: `[task id, upstream]`, or null for a series without labels, which it drops. */
export function routeOf(labels: Labels, scenario: RouteScenario): [number | null, number] | null {
  const { mode, filter_labels: filter, upstreams } = scenario;
  if (labels.length === 0) return null;
  // With one upstream there is nothing to choose and no task label is added.
  if (upstreams === 1) return [null, 0];
  const hash = streamMetricsRouteHash(labels);
  const task = mode > 1 ? hash % mode : 0;
  if (filter.length === 0) return [task, hash % upstreams];
  const marked = [...labels, { name: 'stream_task_id', value: String(task) }];
  // A name given twice counts twice.
  const filtered = filter.flatMap((name) => marked.filter((label) => label.name === name));
  return [task, streamMetricsRouteHash(filtered) % upstreams];
}

export interface ShardScenario {
  readonly urls: readonly string[];
  readonly labels: readonly string[];
  readonly ignore_labels: readonly string[];
  readonly replicas: number;
  /** Indexes of the URLs out of service. */
  readonly unavailable: readonly number[];
}

/** vmagent -remoteWrite.shardByURL: sorted indexes of the URLs that get the series. */
export function shardsOf(labels: Labels, scenario: ShardScenario): number[] {
  const { urls, labels: only, ignore_labels: ignored, replicas, unavailable } = scenario;
  const used = labels.filter(({ name }) => (only.length > 0 ? only.includes(name) : !ignored.includes(name)));
  // Names and values without a separator, in wire order.
  const series = hashText(used.map((label) => label.name + label.value).join(''));
  const scores = urls.map((url, at) =>
    unavailable.includes(at) ? -1n : scramble(hashText(`${at + 1}:${url}`) ^ series),
  );
  let shard = scores.reduce((best, score, at) => (score > scores[best]! ? at : best), 0);
  const shards: number[] = [];
  while (shards.length < replicas) {
    if (!unavailable.includes(shard)) shards.push(shard);
    shard = (shard + 1) % urls.length;
  }
  return shards.sort((a, b) => a - b);
}

function hashText(text: string): bigint {
  return xxh64(Buffer.from(text));
}

/** One step of xorshift64*: S. Vigna, "An experimental exploration of Marsaglia's xorshift generators". */
function scramble(value: bigint): bigint {
  let x = value;
  x ^= x >> 12n;
  x ^= BigInt.asUintN(64, x << 25n);
  x ^= x >> 27n;
  return BigInt.asUintN(64, x * 2685821657736338717n);
}
