/** Members that describe a metric. They are the same for all of its series, so they tell none from another. */
const METADATA: ReadonlySet<string> = new Set(['type', 'unit', 'units', 'help', 'description']);
export function isMetadata(key: string): boolean {
  return METADATA.has(key);
}

/** Most members named in a message. */
const NAMED = 8;
const QUOTED_CHARACTERS = 60;

/**
 * The fault of an object with unknown members; undefined if it has none. An unknown member may be what tells its series
 * from others (`"hostname":"h1"`): without it they would become one series.
 *
 * Members that describe a metric are ignored, and so are empty ones: null, `""`, `[]`, `{}`.
 *
 * @param name a member `metric` with this value is known too
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

/** The message for unknown members. */
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
