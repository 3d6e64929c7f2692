/**
 * What a worker or a drain has read of its options when it was made is read of the new ones when they are put in force: a
 * value that is kept in a field would stay in force after a reload that says otherwise.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { leavesOf } from '../../../../src/app/config/leaves.ts';
import { loadConfig } from '../../../../src/app/config/load.ts';
import { type ReloadingCommand, reloadEffect } from '../../../../src/app/config/reload-effects.ts';
import { processOptions } from '../../../../src/app/config/schema.ts';
import type { PreparedChange } from '../../../../src/core/model/prepared-change.ts';
import { compileRoutes } from '../../../../src/core/route/route.ts';
import type { KafkaConnection } from '../../../../src/io/kafka/client/connection.ts';
import { withCluster } from '../../../../src/io/kafka/patch/admin.ts';
import { createLog } from '../../../../src/io/telemetry/log.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import { Drain } from '../../../../src/services/drain/drain.ts';
import { Worker } from '../../../../src/services/worker/worker.ts';
import { recorded } from '../../../support/recorded-reads.ts';

const file = new URL('../../../../config/penstock.yml', import.meta.url).pathname;
assert.ok(readFileSync(file, 'utf8').length > 0);

/** A cluster in which every topic is there, with as many partitions as anybody could want. */
function anyCluster(): KafkaConnection {
  const names = [
    config().worker.dead_topic,
    config().worker.topic,
    ...config().routes.map(({ topic }) => topic),
  ];
  const partitionMetadata = Array.from({ length: 64 }, (_, partitionId) => ({ partitionId }));
  const admin = {
    connect: async () => undefined,
    disconnect: async () => undefined,
    listTopics: async () => names,
    describeConfigs: async () => ({
      resources: names.map((resourceName) => ({ resourceName, configEntries: [] })),
    }),
  };
  const cluster = {
    metadata: async () => ({
      topicMetadata: names.map((topic) => ({ topic, topicErrorCode: 0, partitionMetadata })),
    }),
  };
  const client = withCluster(() => admin);
  return {
    instance: () => ({ admin: () => client({ cluster: cluster as never }), producer: () => ({}) }),
  } as unknown as KafkaConnection;
}

const config = () =>
  loadConfig({ file, env: { PENSTOCK_DRAIN_NODE: 'vmagent-0', PENSTOCK_REGISTRY_URL: 'http://r:1' } });
const log = createLog('silent', 'test');

/** The options of each, with their sections recorded under their names in the file. */
const MADE: Readonly<
  Record<ReloadingCommand, (before: Set<string>, after: Set<string>) => Promise<PreparedChange>>
> = {
  worker: (before, after) => {
    const options = (reads: Set<string>) => {
      const { worker, registry } = recorded(config(), reads);
      return { worker, registry, routes: compileRoutes(config()) };
    };
    return new Worker(anyCluster(), options(before), new Metrics(), log).prepare(options(after));
  },
  drain: (before, after) => {
    const setup = (reads: Set<string>) => {
      const { drain, ownership, worker } = recorded(config(), reads);
      const routes = compileRoutes(config());
      return {
        drain,
        nodes: config().nodes,
        ownership,
        routes,
        deadTopic: worker.dead_topic,
        tenantHeaders: worker.tenant_headers,
        userAgent: 'test',
      };
    };
    return new Drain(anyCluster(), setup(before), new Metrics(), log).prepare(setup(after));
  },
};

for (const command of ['worker', 'drain'] as const) {
  test(`a ${command} keeps nothing of what a reload may change`, async () => {
    const [before, after] = [new Set<string>(), new Set<string>()];
    const change = await MADE[command](before, after);
    const read = new Set(before);
    change.commit();
    const applied = leavesOf(processOptions)
      .map(({ path }) => path)
      .filter((path) => reloadEffect(command, path) === 'applied')
      .map((path) => path.join('.'));
    assert.ok(applied.some((key) => read.has(key)));
    assert.deepEqual(
      applied.filter((key) => read.has(key) && !after.has(key)),
      [],
    );
    // What cannot change is read when it is made: else the table has it in the wrong place.
    const groups =
      command === 'worker' ? ['worker.session_timeout', 'worker.group'] : ['drain.session_timeout'];
    for (const key of groups) assert.ok(read.has(key), key);
  });
}
