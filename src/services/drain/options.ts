import * as z from 'zod';
import { attemptKeys, refuseBackwardPauses } from '../../core/options/http.ts';
import { duration, kafkaSize, size } from '../../core/options/types.ts';

/** The drain: task partitions to one node. Times in ms, sizes in bytes. */
export const drainOptions = z
  .strictObject({
    node: z
      .string()
      .default('')
      .describe(
        'Name of the node that this drain feeds, one of nodes; usually PENSTOCK_DRAIN_NODE. A drain does not start without it.',
      ),
    session_timeout: duration()
      .prefault('15s')
      .describe(
        'A drain that is not heard from for this long loses its partitions to the others of its node.',
      ),
    heartbeat_interval: duration()
      .prefault('3s')
      .describe('How often a drain sends a heartbeat; usually at most a third of session_timeout.'),
    rebalance_timeout: duration()
      .prefault('30s')
      .describe('How long a rebalance waits for every drain of the node to join.'),
    fetch_max_bytes: kafkaSize()
      .prefault('8MiB')
      .describe('Most bytes a fetch may bring, over all partitions.'),
    fetch_max_wait: duration()
      .prefault('250ms')
      .describe('How long a broker may hold a fetch when it has nothing to give.'),
    queue_bytes: size()
      .prefault('64MiB')
      .describe('Most bytes fetched and not yet forwarded; at this mark the drain stops fetching.'),
    ...attemptKeys(),
    late_after: duration({ min: 0 })
      .prefault('1m')
      .describe(
        'Age of a record from which on its samples count as late (penstock_late_samples_total): aggregation may have closed their window. 0: none are counted.',
      ),
    failover_after: z
      .enum(['never'])
      .default('never')
      .describe(
        'When other nodes take over the tasks of a node that is away. Only never for now: Kafka holds them until it is back.',
      ),
    on_offset_gap: z
      .enum(['continue', 'stop'])
      .default('continue')
      .describe(
        'When records are missing where reading begins: continue (report it, go on with what is there) or stop.',
      ),
    on_corrupt_batch: z
      .enum(['stop', 'set_aside'])
      .default('stop')
      .describe(
        'When a record batch cannot be read (corrupt, or too large decompressed): stop (its partition waits; penstock dead skip passes over it) or set_aside (it becomes a dead letter, and the partition goes on).',
      ),
  })
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    if (options.heartbeat_interval >= options.session_timeout) {
      refuse(
        'heartbeat_interval',
        `${options.heartbeat_interval} ms is too long; expected less than session_timeout (${options.session_timeout} ms), a third is usual`,
      );
    }
    refuseBackwardPauses(options, refuse);
  });

export type DrainOptions = z.output<typeof drainOptions>;
