import { compileRoutes } from '../../../core/route/route.ts';
import type { LetterFilter } from '../../../services/dead/filter.ts';
import { Redrive } from '../../../services/dead/redrive.ts';
import type { RedriveCounts } from '../../../services/dead/redrive-plan.ts';
import { type RedriveTargets, UNREDRIVABLE_TEXT } from '../../../services/dead/redriven-record.ts';
import type { OnCorrupt } from '../../../services/dead/scan.ts';
import { ingestTopics } from '../../../services/worker/options.ts';
import { DONE, printJson } from '../command.ts';
import { defectNotes } from '../defect-notes.ts';
import { type DeadSession, sayUnreadable } from './session.ts';

export interface RedriveArguments {
  readonly filter: LetterFilter;
  readonly limit: number;
  readonly again: boolean;
  readonly dryRun: boolean;
  readonly onCorrupt: OnCorrupt;
}

export async function redriveLetters(session: DeadSession, args: RedriveArguments): Promise<number> {
  const { config, connection, admin, topic, json, line, nowMs } = session;
  const redrive = new Redrive(connection, admin, {
    ...args,
    topic,
    nowMs,
    targets: await redriveTargets(session),
    onDefect: defectNotes((message) => line.say(`penstock dead: ${message}`)),
    transactionTimeoutMs: config.worker.transaction_timeout,
    onUnreadable: (partitions) => sayUnreadable(topic, partitions),
    onScan: ({ read, of }) => line.show(`${topic}: ${read} of ${of} offsets read`),
    onRedrive: ({ read, of }) => line.show(`${topic}: ${read} of ${of} dead letters redriven`),
  });
  const counts = await redrive.run().finally(() => line.clear());
  if (json) printJson(asJson(topic, counts, args.dryRun));
  else process.stdout.write(formatCounts(topic, counts, args));
  return DONE;
}

function asJson(
  topic: string,
  { redrive, failedAgain, unredrivable }: RedriveCounts,
  dryRun: boolean,
): object {
  return {
    topic,
    dry_run: dryRun,
    redriven: redrive,
    failed_again: failedAgain,
    not_redrivable: Object.fromEntries(unredrivable),
  };
}

function formatCounts(
  topic: string,
  { redrive, failedAgain, unredrivable }: RedriveCounts,
  { dryRun, again }: RedriveArguments,
): string {
  const lines = [`${topic}: ${redrive} dead letters ${dryRun ? 'would be ' : ''}redriven`];
  if (failedAgain > 0 && !again) {
    lines.push(
      `${failedAgain} left alone, since they were redriven before and have failed again; --again takes them too`,
    );
  }
  for (const [why, letters] of unredrivable)
    lines.push(`${letters} cannot go back: ${UNREDRIVABLE_TEXT[why]}`);
  return `${lines.join('\n')}\n`;
}

/** Topics that letters may be redriven to, with their partition counts (0: the topic does not exist). */
async function redriveTargets({ config, admin }: DeadSession): Promise<RedriveTargets> {
  const ingest = ingestTopics(config.worker).map(({ topic }) => topic);
  const tasks = [...new Set(compileRoutes(config).map(({ topic }) => topic))];
  const counts = await admin.partitionCounts([...ingest, ...tasks]);
  const existing = (topics: readonly string[]) =>
    new Map(topics.map((topic) => [topic, counts.get(topic) ?? 0] as const));
  const maxMessageBytes = await admin.maxMessageBytes([...counts.keys()]);
  return { ingest: existing(ingest), tasks: existing(tasks), maxMessageBytes };
}
