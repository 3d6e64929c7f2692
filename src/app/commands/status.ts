import { errorMessage } from '../../core/model/errors.ts';
import { urlFault } from '../../core/options/address.ts';
import { compress } from '../../core/wire/snappy.ts';
import type { KafkaAdmin } from '../../io/kafka/admin/admin.ts';
import { firstRecordTimes } from '../../io/kafka/admin/first-records.ts';
import { TopicAdmin } from '../../io/kafka/admin/topic-admin.ts';
import { KafkaConnection } from '../../io/kafka/client/connection.ts';
import { RemoteWriteClient } from '../../io/remote-write/client.ts';
import { createLog } from '../../io/telemetry/log.ts';
import { epochMs, monotonicMs } from '../../io/time/clock.ts';
import { sleep } from '../../io/time/sleep.ts';
import { readLeftovers } from '../../services/drain/leftovers.ts';
import type { DeploymentStatus } from '../../services/status/deployment.ts';
import { observe } from '../../services/status/observe.ts';
import { reportStatus, waitingId, waitingRanges } from '../../services/status/report.ts';
import { readPlan } from '../../services/topics/apply.ts';
import { topicDrift } from '../../services/topics/drift.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { DONE, parseCommand, printJson, usageError } from './command.ts';
import { configuredTopics } from './configured-topics.ts';
import { expectedDeployment } from './expected-deployment.ts';
import { withKafkaAdmin } from './kafka-session.ts';
import { durationArgument } from './option-values.ts';
import { formatStatus, type ProcessAnswer } from './text/status-text.ts';
import { version } from './version.ts';

const HELP = `
penstock status [-c FILE] [--admin URL]… [--look-again 3s] [--timeout 30s] [--json]

Shows a running deployment as Kafka sees it: the workers and their partitions, the lag of the ingest topics,
the drains of each node with the tasks that hash 2 gives to it and their lag, what nodes that are not configured any
more have left behind, the dead letters, and what an operator should look at.

It looks twice, so that it sees what does not get on: partitions in which records wait and nothing was committed between
the two looks are stuck. A node whose partitions are stuck is asked what it answers to an empty request. Topics are
compared with the configuration, as penstock topics plan does.

  --admin URL         also asks this process for its own view (http://host:port of its admin.listen); may be repeated
  --look-again TIME   from one look to the other; 0: look once, and see no partition that is stuck (default 3s)
  --timeout TIME      gives up when it is not done by then, as when Kafka hangs; 0: never (default 30s)

Lag and dead letters count offsets; the marker that ends each transaction of a worker has one too, so that there are
fewer letters than offsets (penstock dead list counts them). WAITS is the age of
the oldest record that waits. Exit code 0: the status was shown, problems included; 1: Kafka did not answer.
`;

/** Timeout of a process's answer, in ms. */
const ANSWER_MS = 5_000;
/** Timeouts of a node's answer, and of reading the oldest records of all partitions, in ms. */
const NODE_ANSWER_MS = 3_000;
const AGES_MS = 5_000;

export async function run(argv: string[]): Promise<number> {
  const command = parseCommand(argv, {
    name: 'status',
    help: HELP,
    options: {
      admin: { type: 'string', multiple: true },
      'look-again': { type: 'string', default: '3s' },
      timeout: { type: 'string', default: '30s' },
    },
  });
  if (command === undefined) return DONE;
  const urls = (command.values.admin ?? []).map(adminUrl);
  const againMs = durationArgument('status', 'look-again', command.values['look-again']);
  const timeoutMs = durationArgument('status', 'timeout', command.values.timeout);
  const config = loadConfig({ file: command.configFile, env: process.env });
  return await withKafkaAdmin(
    'status',
    config.kafka,
    async (admin) => {
      const asked = Promise.all(urls.map(ask));
      const status = await lookAt(config, admin, againMs);
      const processes = await asked;
      if (command.json) printJson({ ...status, ...(urls.length > 0 ? { processes } : {}) });
      else process.stdout.write(formatStatus(status, processes));
      return DONE;
    },
    { timeoutMs },
  );
}

async function lookAt(config: Config, admin: KafkaAdmin, againMs: number): Promise<DeploymentStatus> {
  const expected = expectedDeployment(config);
  const topics = expected.taskTopics.map(({ topic }) => topic);
  const names = expected.nodes.map(({ node }) => node);
  const startedMs = monotonicMs();
  const first = await observe(expected, admin);
  const [leftovers, drift] = await Promise.all([
    readLeftovers(admin, topics, names),
    readDrift(config, admin),
  ]);
  await sleep(Math.max(0, againMs - (monotonicMs() - startedMs)));
  const seen = againMs === 0 ? first : await observe(expected, admin);
  const secondsAgo = (monotonicMs() - startedMs) / 1000;
  const ages = await readAges(config, admin, waitingRanges(expected, seen));
  const beside = {
    leftovers,
    drift,
    ages,
    ...(againMs === 0 ? {} : { before: { seen: first, secondsAgo } }),
  };
  const stuck = reportStatus(expected, seen, beside).nodes.filter(({ topics: groups }) =>
    groups.some((group) => group.stuck.length > 0),
  );
  const answers = await Promise.all(
    config.nodes
      .filter(({ name }) => stuck.some(({ node }) => node === name))
      .map(async (node) => [node.name, await answerOf(node)] as const),
  );
  return reportStatus(expected, seen, { ...beside, answers: new Map(answers) });
}

/** Age of the oldest waiting record of each partition, in seconds; without those not read within `AGES_MS`. */
async function readAges(
  { kafka }: Config,
  admin: KafkaAdmin,
  waiting: ReturnType<typeof waitingRanges>,
): Promise<Map<string, number>> {
  const connection = new KafkaConnection(kafka, createLog('silent', 'status'));
  const signal = AbortSignal.timeout(AGES_MS);
  const ages = new Map<string, number>();
  for (const { group, topic, ranges } of waiting) {
    if (signal.aborted) break;
    const times = await firstRecordTimes(connection, admin, topic, ranges, signal).catch(() => new Map());
    for (const [partition, ms] of times)
      ages.set(waitingId(group, topic, partition), Math.max(0, epochMs() - ms) / 1000);
  }
  return ages;
}

/** Differences between topics and configuration; without the rights to read the settings, the error. */
async function readDrift(config: Config, admin: KafkaAdmin): Promise<string[]> {
  try {
    return topicDrift(
      await readPlan(configuredTopics(config), new TopicAdmin(admin), { allowShrink: false }),
    );
  } catch (error) {
    return [`the settings of the topics cannot be read: ${errorMessage(error)}`];
  }
}

/** A node's answer to an empty remote write request. */
async function answerOf({ url, tls, ...login }: Config['nodes'][number]): Promise<string> {
  const timeoutMs = NODE_ANSWER_MS;
  try {
    const client = new RemoteWriteClient({
      url,
      timeoutMs,
      userAgent: `penstock/${version()}`,
      login,
      tls,
    });
    try {
      const request = { body: compress(Buffer.alloc(0)), headers: {} };
      const code = await client.send(request, AbortSignal.timeout(timeoutMs));
      return `${url} answers ${code}, as it should`;
    } finally {
      await client.close();
    }
  } catch (error) {
    return errorMessage(error);
  }
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
