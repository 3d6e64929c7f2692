import * as z from 'zod';
import { OWNERSHIP_METHODS } from '../../core/hash/ownership.ts';
import { duration } from '../../core/options/types.ts';
import { nodeOptions, routeOptions } from '../../core/route/options.ts';
import { kafkaOptions } from '../../io/kafka/client/options.ts';
import { registryOptions } from '../../io/registry/options.ts';
import { adminOptions, logOptions } from '../../io/telemetry/options.ts';
import { drainOptions } from '../../services/drain/options.ts';
import { replayOptions } from '../../services/replay/options.ts';
import { topicsOptions } from '../../services/topics/options.ts';
import { workerOptions } from '../../services/worker/options.ts';

/** Everything that the environment can override: one value a key. */
export const processOptions = z.strictObject({
  kafka: kafkaOptions.prefault({}).describe('How to reach the Kafka cluster.'),
  worker: workerOptions.prefault({}).describe('The worker: ingest topic to task topics.'),
  registry: registryOptions
    .prefault({})
    .describe('The schema registry of Avro, JSON Schema and Protobuf records (docs/guides/schemas.md).'),
  ownership: z
    .enum(OWNERSHIP_METHODS)
    .default('balanced')
    .describe(
      'How tasks are divided among the nodes: balanced over all routes (no node has more than 1.15 times the mean, or the mean rounded up), or per_route, each route for itself. A change moves most tasks to other nodes.',
    ),
  drain: drainOptions.prefault({}).describe('The drain: task topics to one node.'),
  replay: replayOptions
    .prefault({})
    .describe('penstock replay, as far as its command line does not say (docs/guides/backfill.md).'),
  topics: topicsOptions
    .prefault({})
    .describe(
      'What penstock topics creates topics with. A topic that exists is altered only by keys that stand in the file or the environment; what would take records away needs --allow-shrink as well.',
    ),
  admin: adminOptions
    .prefault({})
    .describe('Where a process answers /metrics, /-/healthy, /-/ready, /-/reload and /api/status.'),
  log: logOptions.prefault({}).describe('Log lines, one JSON object each, on standard output.'),
  allow_no_routes: z
    .boolean()
    .default(false)
    .describe(
      'Run without routes: a worker then drops every sample that it reads, and a drain reads nothing. Without it that is refused.',
    ),
  stop_deadline: duration()
    .prefault('20s')
    .describe('After SIGTERM: finish and commit what is in flight within this time, then stop hard.'),
});

/** The whole file, in the order in which it is documented. */
export const options = z.strictObject({
  kafka: processOptions.shape.kafka,
  worker: processOptions.shape.worker,
  registry: processOptions.shape.registry,
  routes: z
    .array(routeOptions)
    .default([])
    .describe('Which series go where. A series goes to every route that matches it.'),
  allow_no_routes: processOptions.shape.allow_no_routes,
  nodes: z.array(nodeOptions).default([]).describe('The vmagents that the tasks are divided among.'),
  ownership: processOptions.shape.ownership,
  drain: processOptions.shape.drain,
  replay: processOptions.shape.replay,
  topics: processOptions.shape.topics,
  admin: processOptions.shape.admin,
  log: processOptions.shape.log,
  stop_deadline: processOptions.shape.stop_deadline,
});

export type ProcessOptions = z.output<typeof processOptions>;
export type Options = z.output<typeof options>;
