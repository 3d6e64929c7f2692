import { quoteText } from '../json/unknown.ts';
import { MAX_NESTING } from './attributes.ts';

export type JsonObject = Readonly<Record<string, unknown>>;

/** Objects and arrays from the record down to the value of an attribute, that of an exemplar included. */
const LEVELS_OF_OTLP = 16;
/** Those from a value in a key list or an array down to the values in it. */
const LEVELS_OF_VALUE = 4;
/** Levels that are renamed: with values that nest deeper the record is refused (`nesting`), whatever their names. */
const MOST_LEVELS = LEVELS_OF_OTLP + (MAX_NESTING + 1) * LEVELS_OF_VALUE;

/**
 * Renames members that are named as in the .proto files (`resource_metrics`) to their JSON names, in place: protobuf's
 * own JSON readers accept both (protobuf.dev, "ProtoJSON Format").
 */
export function jsonNames(value: unknown, levels = MOST_LEVELS): void {
  if (typeof value !== 'object' || value === null || levels === 0) return;
  if (!Array.isArray(value)) {
    const members = value as Record<string, unknown>;
    for (const key of Object.keys(members)) {
      if (!/^[a-z]+(_[a-z0-9]+)+$/.test(key)) continue;
      const name = key.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      members[name] ??= members[key];
      delete members[key];
    }
  }
  for (const each of Object.values(value)) jsonNames(each, levels - 1);
}

/** Names of the unknown members. */
export function otherMembers(members: JsonObject, known: ReadonlySet<string>): readonly string[] {
  return Object.keys(members).filter((key) => !known.has(key));
}

/** Names of members for a message. */
export function namesOf(keys: readonly string[]): string {
  return keys.slice(0, 8).map(quoteText).join(', ');
}
