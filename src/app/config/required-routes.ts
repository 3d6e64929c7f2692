import type { Config } from './load.ts';
import { InvalidConfig } from './problem.ts';

/**
 * Refuses a configuration without routes, such as a file that has lost them: a worker would commit all that it reads
 * and forward nothing, and a drain would read nothing.
 *
 * @throws InvalidConfig if there are no routes, unless `allow_no_routes` is set
 */
export function requireRoutes({ routes, allow_no_routes, positions }: Config): void {
  if (routes.length > 0 || allow_no_routes) return;
  const message =
    'there are none, so that every sample would be dropped; expected at least one, or allow_no_routes: true';
  throw new InvalidConfig([positions.problem(['routes'], message)]);
}
