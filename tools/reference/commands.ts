import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const PRINT_HELP = fileURLToPath(new URL('print-help.ts', import.meta.url));

const HEAD = `# Commands

<!-- Generated from --help by \`npm run reference\`. -->

What \`penstock COMMAND --help\` prints. From a clone \`npm run penstock -- COMMAND\` runs the sources.
`;

/** docs/reference/commands.md. */
export async function commandsPage(): Promise<string> {
  const { stdout } = await promisify(execFile)(process.execPath, [PRINT_HELP]);
  const { '': overview, ...commands } = JSON.parse(stdout) as Record<string, string>;
  const sections = Object.entries(commands).map(([name, text]) => `## penstock ${name}\n\n${block(text)}`);
  return [HEAD, block(overview!), ...sections].join('\n');
}

function block(text: string): string {
  return `\`\`\`text\n${text}\n\`\`\`\n`;
}
