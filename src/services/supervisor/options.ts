import * as z from 'zod';

/** Number of processes of one `penstock worker`. */
export const workerOptions = z.strictObject({
  processes: z
    .union([z.int().min(1).max(1024), z.literal('auto')], {
      error: (issue) =>
        `${JSON.stringify(issue.input)} does not fit; expected a whole number from 1 to 1024, or auto`,
    })
    .default(1)
    .describe(
      'Processes of one worker; auto: as many as there are cores. Each is a consumer with a series cache and a queue of its own, so more than the ingest topic has partitions are idle. With more than 1 a supervisor starts them, and again if one ends; admin.listen speaks for all, and client_id gets their number (penstock-0).',
    ),
});

export type WorkerProcessOptions = z.output<typeof workerOptions>;
