import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import { type Label, labelsFrom } from '../../core/model/labels.ts';
import { printableJson, printableLines } from '../../core/model/printable.ts';
import { compileRelabel, type Dialect, type Relabeler, RuleError } from '../../core/relabel/compile.ts';
import { parseRules, RuleSyntaxError } from '../../core/relabel/parse.ts';

const USAGE = `usage: penstock relabel [--dialect victoriametrics|prometheus] --config FILE

Applies the relabel rules of FILE (a YAML list) to JSON lines on standard input.
  in    {"labels":{"__name__":"up","job":"api"}}
  out   {"labels":{…}}, {"dropped":true}, or {"error":"…"} for a line that cannot be read
`;

export interface CommandStreams {
  readonly stdin: AsyncIterable<Buffer | string>;
  readonly stdout: NodeJS.WritableStream;
  readonly stderr: NodeJS.WritableStream;
}

/**
 * `penstock relabel`: one line out for each line in, in order.
 *
 * @returns the exit code: 0, 1 when a line could not be read, 2 for wrong usage or rules.
 */
export async function relabelCommand(argv: string[], io: CommandStreams): Promise<number> {
  let relabeler: Relabeler;
  try {
    const options = readOptions(argv);
    if (options === 'help') {
      io.stdout.write(USAGE);
      return 0;
    }
    relabeler = await loadRules(options.config, options.dialect);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    io.stderr.write(`penstock relabel: ${printableLines(error.message)}\n`);
    return 2;
  }
  let exitCode = 0;
  for await (const line of linesOf(io.stdin)) {
    const answer = answerLine(relabeler, line);
    if ('error' in answer) exitCode = 1;
    if (!io.stdout.write(`${printableJson(answer)}\n`)) await once(io.stdout, 'drain');
  }
  return exitCode;
}

function readOptions(argv: string[]): { config: string; dialect: Dialect } | 'help' {
  const { values } = parse(argv);
  if (values.help) return 'help';
  const { config, dialect } = values;
  if (config === undefined) throw new ConfigError(`--config is missing\n${USAGE}`);
  if (dialect !== 'victoriametrics' && dialect !== 'prometheus') {
    throw new ConfigError(`unknown dialect "${dialect}": use victoriametrics or prometheus`);
  }
  return { config, dialect };
}

function parse(argv: string[]) {
  try {
    return parseArgs({
      args: argv,
      options: {
        config: { type: 'string', short: 'c' },
        dialect: { type: 'string', default: 'victoriametrics' },
        help: { type: 'boolean', short: 'h' },
      },
    });
  } catch (error) {
    throw new ConfigError(`${errorMessage(error)}\n${USAGE}`, { cause: error });
  }
}

async function loadRules(file: string, dialect: Dialect): Promise<Relabeler> {
  let text: string;
  try {
    text = await readFile(file, 'utf8');
  } catch (error) {
    throw new ConfigError(`cannot read the rules: ${errorMessage(error)}`, { cause: error });
  }
  try {
    const parsed = parseRules(text);
    try {
      return compileRelabel(parsed.rules, dialect);
    } catch (error) {
      if (!(error instanceof RuleError)) throw error;
      throw new RuleSyntaxError(parsed.lineOf(error.index, error.key), error.message);
    }
  } catch (error) {
    if (!(error instanceof RuleSyntaxError)) throw error;
    throw new ConfigError(`${file}:${error.line}: ${error.message}`, { cause: error });
  }
}

type Answer = { labels: Record<string, string> } | { dropped: true } | { error: string };

function answerLine(relabeler: Relabeler, line: string): Answer {
  try {
    const labels = relabeler.apply(readLabels(line));
    return labels ? { labels: toObject(labels) } : { dropped: true };
  } catch (error) {
    if (error instanceof LineError) return { error: error.message };
    throw error;
  }
}

class LineError extends Error {}

function readLabels(line: string): Label[] {
  const series = parseJson(line);
  const labels = isObject(series) ? series['labels'] : undefined;
  if (!isObject(labels)) throw new LineError('expected an object with "labels": {"labels":{"job":"api"}}');
  for (const [name, value] of Object.entries(labels)) {
    if (typeof value !== 'string')
      throw new LineError(`the value of label ${JSON.stringify(name)} is not text`);
  }
  return labelsFrom(labels as Record<string, string>);
}

function parseJson(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch (error) {
    throw new LineError(`not JSON: ${errorMessage(error)}`, { cause: error });
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The first of several labels with one name is shown: VictoriaMetrics' rules can produce such labels. */
function toObject(labels: readonly Label[]): Record<string, string> {
  const first = new Map<string, string>();
  for (const { name, value } of labels) if (!first.has(name)) first.set(name, value);
  return Object.fromEntries(first);
}

/**
 * Lines of a stream, without line ends. Not readline, which also splits at U+2028, a character that JSON text may
 * contain.
 */
async function* linesOf(stream: AsyncIterable<Buffer | string>): AsyncGenerator<string> {
  const decoder = new TextDecoder();
  let pieces: string[] = [];
  for await (const chunk of stream) {
    const text = typeof chunk === 'string' ? chunk : decoder.decode(chunk, { stream: true });
    const [first, ...lines] = text.split('\n');
    pieces.push(first!);
    for (const line of lines) {
      yield pieces.join('');
      pieces = [line];
    }
  }
  const last = pieces.join('') + decoder.decode();
  if (last !== '') yield last;
}
