/** Members that say what a metric is, alike for all of its series, and so tell none from another. */
const METADATA: ReadonlySet<string> = new Set(['type', 'unit', 'units', 'help', 'description']);
export function isMetadata(key: string): boolean {
  return METADATA.has(key);
}

/** Members that a message names. */
const NAMED = 8;
const QUOTED_CHARACTERS = 60;

/**
 * What is wrong with an object that has members beside the known ones: what is not understood may be what tells its
 * series from others (`"hostname":"h1"`), which would then be one series of all. Undefined where nothing is.
 *
 * What describes a metric is passed over, and what is empty: null, `""`, `[]`, `{}`.
 *
 * @param name where `metric` says the same it is understood too
 */
export function unknownMembers(
  members: Readonly<Record<string, unknown>>,
  known: ReadonlySet<string>,
  name?: unknown,
): string | undefined {
  let unknown: string[] | undefined;
  for (const key of Object.keys(members)) {
    if (known.has(key) || METADATA.has(key)) continue;
    const value = members[key];
    if (isEmpty(value) || (key === 'metric' && value === name)) continue;
    unknown ??= [];
    unknown.push(key);
  }
  return unknown && unknownMessage(unknown);
}

/** The message for members that are not understood. */
export function unknownMessage(keys: readonly string[]): string {
  const named = keys.slice(0, NAMED).map(quoteText).join(', ');
  const more = keys.length > NAMED ? ` and ${keys.length - NAMED} more` : '';
  return `it has members that are not understood and could tell series apart: ${named}${more}`;
}

/** Text in quotes, shortened: for messages. */
export function quoteText(text: string): string {
  return JSON.stringify(text.length > QUOTED_CHARACTERS ? `${text.slice(0, QUOTED_CHARACTERS)}…` : text);
}

function isEmpty(value: unknown): boolean {
  if (value === null || value === '') return true;
  if (typeof value !== 'object') return false;
  for (const _ in value) return false;
  return true;
}
