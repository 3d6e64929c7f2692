import type { Config } from './load.ts';
import { InvalidConfig } from './problem.ts';

/**
 * Refuses a configuration without routes, as of a file that has lost them: a worker would commit all that it reads and
 * send nothing on, and a drain would read nothing.
 *
 * @throws InvalidConfig unless `allow_no_routes` says that it is meant
 */
export function requireRoutes({ routes, allow_no_routes, positions }: Config): void {
  if (routes.length > 0 || allow_no_routes) return;
  const message =
    'there are none, so that every sample would be dropped; expected at least one, or allow_no_routes: true';
  throw new InvalidConfig([positions.problem(['routes'], message)]);
}
