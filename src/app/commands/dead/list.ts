import { isoTime } from '../../../core/model/iso-time.ts';
import type { StoredLetter } from '../../../core/record/stored-letter.ts';
import { type LetterFilter, matches } from '../../../services/dead/filter.ts';
import { type OnCorrupt, scanLetters } from '../../../services/dead/scan.ts';
import { LetterCounts, type LetterGroup } from '../../../services/dead/summary.ts';
import { DONE, printJson } from '../command.ts';
import { defectNotes } from '../defect-notes.ts';
import { formatTable } from '../text/table.ts';
import { wrap } from '../text/wrap.ts';
import { type DeadSession, sayUnreadable } from './session.ts';

/** Counts the letters present at the start; letters written during the scan are not counted. */
export async function listLetters(
  { connection, admin, topic, json, line }: DeadSession,
  filter: LetterFilter,
  onCorrupt?: OnCorrupt,
): Promise<number> {
  const { bounds, unknown } = await admin.knownBounds(topic);
  sayUnreadable(topic, unknown);
  const ranges = new Map([...bounds].map(([id, { low, high }]) => [id, { from: low, to: high }]));
  const counts = new LetterCounts();
  const onDefect = defectNotes((message) => line.say(`penstock dead: ${message}`));
  const redriven = await scanLetters(connection, admin, {
    topic,
    ranges,
    onCorrupt,
    onLetter: (letter) => {
      if (matches(filter, letter)) counts.add(letter);
    },
    onDefect: (record, error) => {
      counts.add(unreadable(record, error));
      onDefect(record, error);
    },
    onProgress: ({ read, of }) => line.show(`${topic}: ${read} of ${of} offsets read`),
  });
  line.clear();
  const groups = counts.finish((partition, offset) => redriven.get(partition)?.has(offset) ?? false);
  if (json) printJson({ topic, ...totals(groups), groups: groups.map(jsonGroup) });
  else process.stdout.write(formatGroups(topic, groups));
  return DONE;
}

/** Placeholder letter for a record that hits a defect in Penstock, so that it is counted. */
function unreadable(record: StoredLetter['record'], { message }: Error): StoredLetter {
  return { record, stage: '', reason: 'defect', message, source: undefined, redriven: 0, firstSeen: '' };
}

function totals(groups: readonly LetterGroup[]): { letters: number; redriven: number } {
  const sum = (key: 'letters' | 'redriven') => groups.reduce((total, group) => total + group[key], 0);
  return { letters: sum('letters'), redriven: sum('redriven') };
}

function jsonGroup({ firstMs, lastMs, ...group }: LetterGroup): object {
  return { ...group, example: group.examples[0], first: isoTime(firstMs), last: isoTime(lastMs) };
}

function formatGroups(topic: string, groups: readonly LetterGroup[]): string {
  if (groups.length === 0) return `${topic}: no dead letters that match\n`;
  const rows = groups.map(({ stage, reason, source, letters, redriven, firstMs, lastMs, examples }) => [
    stage,
    reason,
    source || '-',
    String(letters),
    String(redriven),
    seconds(firstMs),
    seconds(lastMs),
    examples.join(', '),
  ]);
  const header = [
    'STAGE',
    'REASON',
    'FROM',
    'LETTERS',
    'REDRIVEN',
    'FIRST',
    'LAST',
    'LAST AT (PARTITION:OFFSET)',
  ];
  const messages = groups.flatMap(({ reason, message }) => wrap(`${reason}: ${message}`, 2));
  const { letters, redriven } = totals(groups);
  const total = `${letters} dead letters in ${topic}, ${redriven} of them redriven. The last of each kind says:`;
  return `${formatTable([header, ...rows])}\n\n${total}\n${messages.join('\n')}\n`;
}

/** ISO time to the second, with a space instead of the T, where a narrow table may break it. */
function seconds(ms: number): string {
  return isoTime(ms)
    .replace(/\.\d+Z$/, 'Z')
    .replace('T', ' ');
}
