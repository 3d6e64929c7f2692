import * as z from 'zod';

/** How many processes one `penstock worker` is. */
export const workerOptions = z.strictObject({
  processes: z
    .union([z.int().min(1).max(1024), z.literal('auto')], {
      error: (issue) =>
        `${JSON.stringify(issue.input)} does not fit; expected a whole number from 1 to 1024, or auto`,
    })
    .default(1)
    .describe(
      'Processes of one penstock worker, each a consumer of its own; auto: as many as there are cores.',
    ),
});

export type WorkerProcessOptions = z.output<typeof workerOptions>;
