import { quoteText } from './json-unknown.ts';
import type { JsonObject } from './otlp-json-fields.ts';

/** Deeper than OTLP has members of its own; attributes nest further, but have no names with underscores. */
const MOST_LEVELS = 64;

/**
 * Gives members that are named as in the .proto files (`resource_metrics`) the names of JSON, in place: protobuf's own
 * JSON readers take both (protobuf.dev, "ProtoJSON Format").
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

/** What the data of a metric was called before OTLP 0.9, by what it is called since. */
const OLD_DATA: Readonly<Record<string, readonly string[]>> = {
  gauge: ['intGauge', 'doubleGauge'],
  sum: ['intSum', 'doubleSum'],
  histogram: ['intHistogram', 'doubleHistogram'],
  exponentialHistogram: [],
  summary: ['doubleSummary'],
};
const DATA = new Set(Object.entries(OLD_DATA).flat(2));
const DESCRIPTION = new Set(['name', 'description', 'unit', 'metadata']);

/** The data of a metric under any of its names. */
export function dataOf(metric: JsonObject, name: string): unknown {
  const found = metric[name];
  if (found !== undefined) return found;
  for (const old of OLD_DATA[name]!) if (metric[old] !== undefined) return metric[old];
  return undefined;
}

/** Whether a metric has data of a kind that is known, and which members it has beside. */
export function lookAtMetric(metric: JsonObject): { hasData: boolean; unknown: readonly string[] } {
  let hasData = false;
  let unknown: string[] | undefined;
  for (const key of Object.keys(metric)) {
    if (DATA.has(key)) hasData = true;
    else if (!DESCRIPTION.has(key)) {
      unknown ??= [];
      unknown.push(key);
    }
  }
  return { hasData, unknown: unknown ?? NONE };
}

const NONE: readonly string[] = [];

/** The members that are not among the known ones. */
export function otherMembers(members: JsonObject, known: ReadonlySet<string>): readonly string[] {
  return Object.keys(members).filter((key) => !known.has(key));
}

/** Names of members for a message. */
export function namesOf(keys: readonly string[]): string {
  return keys.slice(0, 8).map(quoteText).join(', ');
}
