/**
 * Prints the help of every command as one JSON object: command, or '' for the overview ▸ text. Runs in a process of its
 * own, since commands write to standard output; in one for all, since imports take most of the time.
 */
const texts: Record<string, string> = {};
const write = process.stdout.write;

async function captured(print: () => Promise<unknown>): Promise<string> {
  let text = '';
  process.stdout.write = (chunk: string | Uint8Array) => {
    text += String(chunk);
    return true;
  };
  await print();
  process.stdout.write = write;
  return text.trimEnd();
}

type Run = (argv: string[], streams: NodeJS.Process) => Promise<number>;

process.argv = [...process.argv.slice(0, 2), '--help'];
texts[''] = await captured(() => import('../../src/cli.ts'));
for (const [, name] of texts[''].matchAll(/^ {2}([a-z]+) {2,}\S/gm)) {
  const module = (await import(`../../src/app/commands/${name}.ts`)) as Record<string, Run>;
  const run = (module['run'] ?? module[`${name}Command`])!;
  texts[name!] = await captured(() => run(['--help'], process));
}
process.stdout.write(JSON.stringify(texts));
