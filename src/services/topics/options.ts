import * as z from 'zod';
import { duration, kafkaSize } from '../../core/options/types.ts';

const retention = () => duration({ max: Number.MAX_SAFE_INTEGER });
const partitions = () => z.int().min(1).max(100_000);

/**
 * Settings of the topics that `penstock topics` creates. Times in ms, sizes in bytes; partitions of task topics are in
 * routes.
 */
export const topicsOptions = z
  .strictObject({
    replication_factor: z
      .int()
      .min(0)
      .max(32_767)
      .default(0)
      .describe("Replicas of every topic; 0 is the broker's default."),
    min_insync_replicas: z
      .int()
      .min(0)
      .max(32_767)
      .default(0)
      .describe("Replicas that must have a record before it counts as written; 0 is the broker's default."),
    raw: z
      .strictObject({
        partitions: partitions()
          .default(12)
          .describe('Partitions of the ingest topic: the most workers that can share the work.'),
        retention: retention()
          .prefault('24h')
          .describe(
            'How long the ingest topic keeps records: what a worker can catch up with, and how far back a replay can reach.',
          ),
      })
      .prefault({})
      .describe('The ingest topic.'),
    tasks: z
      .strictObject({
        retention: retention()
          .prefault('24h')
          .describe('How long task topics keep records: the longest outage of a node that loses nothing.'),
        max_message_bytes: kafkaSize()
          .prefault('4MiB')
          .describe('Largest record of a task topic; a larger output is split.'),
      })
      .prefault({})
      .describe('The task topics of all routes. Each has the partitions of its route.'),
    dead: z
      .strictObject({
        partitions: partitions().default(1).describe('Partitions of the dead-letter topic.'),
        retention: retention().prefault('14d').describe('How long dead letters are kept.'),
      })
      .prefault({})
      .describe('The dead-letter topic.'),
  })
  .superRefine((options, context) => {
    if (options.replication_factor > 0 && options.min_insync_replicas > options.replication_factor) {
      context.addIssue({
        code: 'custom',
        path: ['min_insync_replicas'],
        message: `${options.min_insync_replicas} can never be met; expected at most replication_factor (${options.replication_factor})`,
      });
    }
  });

export type TopicsOptions = z.output<typeof topicsOptions>;
