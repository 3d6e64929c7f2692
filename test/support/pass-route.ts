import type { PipelineRoute } from '../../src/core/pipeline/pipeline.ts';

/** A route with one task that takes every series as it is. */
export const PASS_ROUTE: PipelineRoute = {
  name: 'all',
  index: 0,
  topic: 'tasks',
  selectors: [],
  relabeler: { apply: (labels) => labels },
  hasRules: false,
  task: () => 0,
  taskLabel: 'stream_task_id',
  count: 1,
};
