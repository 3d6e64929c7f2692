import * as z from 'zod';
import { address } from '../../core/options/address.ts';
import { secret } from '../../core/options/types.ts';

/** Listen address and access of the admin server: /metrics, /-/healthy, /-/ready, /-/reload and /api/status. */
export const adminOptions = z.strictObject({
  listen: address({ anyHost: true })
    .default('127.0.0.1:9480')
    .describe('host:port to listen on; :9480 is every interface, port 0 any free port.'),
  reload_token: secret()
    .optional()
    .describe(
      'Token that POST /-/reload needs (Authorization: Bearer). Better from a file: PENSTOCK_ADMIN_RELOAD_TOKEN_FILE. Absent: only this machine may, with the header X-Penstock-Reload: 1.',
    ),
});

export const logOptions = z.strictObject({
  level: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least level that is logged.'),
});

export type AdminOptions = z.output<typeof adminOptions>;
export type LogOptions = z.output<typeof logOptions>;
