import { commandsPage } from './commands.ts';
import { configurationPage } from './configuration.ts';
import { metricsPage } from './metrics.ts';

/** The generated pages: path in the repository ▸ text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const [metrics, commands] = await Promise.all([metricsPage(), commandsPage()]);
  return new Map([
    ['docs/reference/configuration.md', configurationPage()],
    ['docs/reference/metrics.md', metrics],
    ['docs/reference/commands.md', commands],
  ]);
}
