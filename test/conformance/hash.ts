import { isDeepStrictEqual } from 'node:util';
import { jump } from '../../src/core/hash/jump.ts';
import { SeriesKey } from '../../src/core/hash/series-key.ts';
import { fnv1a32, streamMetricsRouteHash } from '../../src/core/hash/stream-metrics-route.ts';
import { compileTask, type TaskHash } from '../../src/core/hash/task.ts';
import { xxh64 } from '../../src/core/hash/xxhash64.ts';
import type { Label, Labels } from '../../src/core/model/labels.ts';
import { type RouteScenario, routeOf, type ShardScenario, shardsOf } from './distribution.ts';
import { createHashmodCheck, type HashmodCheck, type HashmodScenario } from './hashmod.ts';
import type { CaseRunner, VectorFile } from './run.ts';

interface HashFile extends VectorFile {
  readonly smr_modes: readonly number[];
  readonly jump_buckets: readonly number[];
  readonly smr_route_scenarios: readonly RouteScenario[];
  readonly vm_shard_scenarios: readonly ShardScenario[];
  readonly hashmod_scenarios: readonly HashmodScenario[];
  readonly hashmod_moduli: readonly string[];
}

interface HashCase {
  readonly id: string;
  readonly labels: readonly (readonly [string, string])[];
  readonly xxhash64: string;
  readonly fnv1a32: number;
  readonly smr: {
    readonly hash: number;
    readonly mod: readonly number[];
    readonly routes: readonly unknown[];
  };
  readonly jump: Readonly<Record<'smr' | 'fnv1a32' | 'xxhash64', readonly number[]>>;
  readonly vm_shards: readonly (readonly number[])[];
  readonly hashmod: readonly { readonly prometheus: string[]; readonly victoriametrics: string[] }[];
}

/** Checks every field of a case of hash.json, hash 1 with each of its hashes included. */
export function createHashRunner(vectors: VectorFile): CaseRunner {
  const file = vectors as HashFile;
  const hashmod = createHashmodCheck(file.hashmod_scenarios, file.hashmod_moduli);
  return (testCase) => differences(file, hashmod, testCase as HashCase).join('\n') || undefined;
}

function differences(file: HashFile, hashmod: HashmodCheck, testCase: HashCase): string[] {
  const found: string[] = [];
  const same = (what: string, actual: unknown, expected: unknown) => {
    if (isDeepStrictEqual(actual, expected)) return;
    found.push(`${what}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
  };
  const labels = testCase.labels.map(([name, value]): Label => ({ name, value }));

  const key = new SeriesKey();
  key.writeSeries(labels);
  const hash64 = xxh64(key.bytes, 0, key.length);
  const hash32 = fnv1a32(key.bytes, 0, key.length);
  same('xxhash64', String(hash64), testCase.xxhash64);
  same('fnv1a32', hash32, testCase.fnv1a32);
  same('smr.hash', streamMetricsRouteHash(labels), testCase.smr.hash);

  const route = file.smr_route_scenarios.map((scenario) => routeOf(labels, scenario));
  same('smr.routes', route, testCase.smr.routes);
  const shards = file.vm_shard_scenarios.map((scenario) => shardsOf(labels, scenario));
  same('vm_shards', shards, testCase.vm_shards);

  const buckets = file.jump_buckets;
  same('jump.fnv1a32', jumps(BigInt(hash32), buckets), testCase.jump.fnv1a32);
  same('jump.xxhash64', jumps(hash64, buckets), testCase.jump.xxhash64);
  same('jump.smr', jumps(BigInt(testCase.smr.hash), buckets), testCase.jump.smr);

  // The product's own way to the same numbers. With its own hashes, group labels = all labels.
  const names = labels.map((label) => label.name);
  same(
    'task: stream-metrics-route',
    tasks(labels, [], file.smr_modes, 'stream-metrics-route'),
    testCase.smr.mod,
  );
  same('task: its jump', tasks(labels, [], buckets, 'stream-metrics-route-jump'), testCase.jump.smr);
  same('task: jump', tasks(labels, names, buckets, 'jump'), testCase.jump.xxhash64);
  const remainders = buckets.map((count) => Number(BigInt(testCase.xxhash64) % BigInt(count)));
  same('task: mod', tasks(labels, names, buckets, 'mod'), remainders);

  testCase.hashmod.forEach((expected, scenario) => {
    for (const dialect of ['prometheus', 'victoriametrics'] as const) {
      same(`hashmod[${scenario}].${dialect}`, hashmod(labels, scenario, dialect), expected[dialect]);
    }
  });
  return found;
}

function jumps(hash: bigint, buckets: readonly number[]): number[] {
  return buckets.map((count) => jump(Number(hash >> 32n), Number(hash & 0xffffffffn), count));
}

function tasks(
  labels: Labels,
  names: readonly string[],
  counts: readonly number[],
  hash: TaskHash,
): number[] {
  return counts.map((count) => compileTask({ labels: names, count, spread: 1, hash })(labels));
}
