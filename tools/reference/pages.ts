import { commandsPage } from './commands.ts';
import { configurationPage } from './configuration.ts';
import { commentedExample, currentExample, EXAMPLE_FILE } from './example.ts';
import { metricsPage } from './metrics.ts';

/** The generated files: path in the repository ▸ text. */
export async function referencePages(): Promise<ReadonlyMap<string, string>> {
  const [metrics, commands] = await Promise.all([metricsPage(), commandsPage()]);
  return new Map([
    ['docs/reference/configuration.md', configurationPage()],
    ['docs/reference/metrics.md', metrics],
    ['docs/reference/commands.md', commands],
    [EXAMPLE_FILE, commentedExample(currentExample())],
  ]);
}
