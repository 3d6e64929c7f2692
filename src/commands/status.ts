import { urlFault } from '../address-options.ts';
import { loadConfig } from '../config/load.ts';
import { readLeftovers } from '../drain/leftovers.ts';
import { errorMessage } from '../model/errors.ts';
import { observe } from '../status/observe.ts';
import { reportStatus } from '../status/report.ts';
import { DONE, parseCommand, printJson, usageError } from './command.ts';
import { expectedDeployment } from './expected-deployment.ts';
import { withKafkaAdmin } from './kafka-session.ts';
import { formatStatus, type ProcessAnswer } from './status-text.ts';

const HELP = `
penstock status [-c FILE] [--admin URL]… [--json]

Shows a running deployment as Kafka sees it: the workers and their partitions, the lag of the ingest topics,
the drains of each node with the tasks that hash 2 gives to it and their lag, what nodes that are not configured any
more have left behind, the dead letters, and what an operator should look at.

  --admin URL   also asks this process for its own view (http://host:port of its admin.listen); may be repeated

Lag and dead letters count offsets; the marker that ends each transaction of a worker has one too. Exit code
0: the status was shown, problems included; 1: Kafka did not answer.
`;

/** How long a process may take to answer, in ms. */
const ANSWER_MS = 5_000;

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, {
    name: 'status',
    help: HELP,
    options: { admin: { type: 'string', multiple: true } },
  });
  if (command === undefined) return DONE;
  const urls = (command.values.admin ?? []).map(adminUrl);
  const config = loadConfig({ file: command.configFile, env: process.env });
  const expected = expectedDeployment(config);
  return await withKafkaAdmin('status', config.kafka, async (admin) => {
    const topics = expected.taskTopics.map(({ topic }) => topic);
    const nodes = expected.nodes.map(({ node }) => node);
    const [seen, leftovers, processes] = await Promise.all([
      observe(expected, admin),
      readLeftovers(admin, topics, nodes),
      Promise.all(urls.map(ask)),
    ]);
    const status = reportStatus(expected, seen, leftovers);
    if (command.json) printJson({ ...status, ...(urls.length > 0 ? { processes } : {}) });
    else process.stdout.write(formatStatus(status, processes));
    return DONE;
  });
}

function adminUrl(text: string): string {
  const url = /^https?:/.test(text) ? text : `http://${text}`;
  const fault = urlFault(url);
  if (fault !== undefined) throw usageError('status', `--admin: ${fault}`);
  return new URL(url).origin;
}

async function ask(url: string): Promise<ProcessAnswer> {
  try {
    const response = await fetch(`${url}/api/status`, { signal: AbortSignal.timeout(ANSWER_MS) });
    if (!response.ok)
      return { url, error: `answers ${response.status}; is it the admin.listen of a worker or drain?` };
    return { url, status: (await response.json()) as Record<string, unknown> };
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    return { url, error: `does not answer: ${errorMessage(cause)}` };
  }
}
