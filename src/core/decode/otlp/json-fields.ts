import { PoisonError } from '../../model/errors.ts';
import { wholePart } from '../text/whole-part.ts';
import { type AnyValue, type KeyValues, MAX_NESTING } from './attributes.ts';
import type { OtlpBounds } from './bounds.ts';
import { type JsonObject, namesOf, otherMembers } from './json-names.ts';

/**
 * Members of OTLP's JSON (opentelemetry.io/docs/specs/otlp, "JSON Protobuf Encoding"): keys in lowerCamelCase, 64-bit
 * integers as text or numbers, doubles also as `NaN`, `Infinity`, `-Infinity`, bytes in base64. Absent and null mean
 * the default. Each function throws PoisonError `otlp_json` if the member is of another type.
 */

export function object(value: unknown, what: string): JsonObject {
  if (value === undefined || value === null) return {};
  if (typeof value !== 'object' || Array.isArray(value)) throw wrong(what, 'an object');
  return value as JsonObject;
}

export function list(value: unknown, what: string): readonly unknown[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) throw wrong(what, 'an array');
  return value;
}

export function textMember(value: unknown, what: string): string {
  if (value === undefined || value === null) return '';
  if (typeof value !== 'string') throw wrong(what, 'text');
  return value;
}

export function doubleMember(value: unknown, what: string): number {
  if (value === undefined || value === null) return 0;
  if (typeof value === 'number') return value;
  if (value === 'NaN') return Number.NaN;
  if (value === 'Infinity' || value === '-Infinity') return Number(value);
  if (typeof value === 'string' && DECIMAL.test(value)) return Number(value);
  throw wrong(what, 'a number');
}

const DECIMAL = /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/;

/** An integer of 64 bits, with or without sign, by its digits: `1.7e18` is one too (protobuf.dev, "JSON Mapping"). */
export function int64Member(value: unknown, what: string): bigint {
  if (value === undefined || value === null) return 0n;
  if (typeof value === 'number' && Number.isSafeInteger(value)) return BigInt(value);
  if (typeof value === 'string' && /^-?\d{1,20}$/.test(value)) return BigInt(value);
  if (typeof value === 'number' || (typeof value === 'string' && DECIMAL.test(value))) {
    // A double that holds all digits that were sent is written with those digits.
    const part = wholePart(String(value));
    if (part?.isExact && part.floor < 2n ** 64n && part.floor >= -(2n ** 64n)) return part.floor;
  }
  throw wrong(what, 'a whole number of 64 bits');
}

export function uint64Member(value: unknown, what: string): bigint {
  if (value === undefined) return 0n;
  const found = int64Member(value, what);
  if (found !== BigInt.asUintN(64, found)) throw wrong(what, 'a whole number of 64 bits without sign');
  return found;
}

export function int32Member(value: unknown, what: string): number {
  const found = Number(int64Member(value, what));
  if (found !== (found | 0)) throw wrong(what, 'a whole number of 32 bits');
  return found;
}

export function keyValues(value: unknown, what: string, bounds: OtlpBounds, nesting = 0): KeyValues {
  const entries = list(value, what);
  bounds.attribute(entries.length - 1, what);
  return entries.map((entry) => {
    bounds.spend(0.5);
    const members = object(entry, what);
    const { key, value: of } = members;
    if (key === undefined || of === undefined) refuseOthers(members, KEY_VALUE, what, 'a key and a value');
    return [textMember(key, `${what}.key`), anyValue(of, what, bounds, nesting)];
  });
}

/** Labels of OTLP before 0.9: pairs of texts. */
export function oldLabels(value: unknown, bounds: OtlpBounds): KeyValues {
  const entries = list(value, 'labels');
  bounds.attribute(entries.length - 1, 'labels');
  return entries.map((entry) => {
    const members = object(entry, 'labels');
    const { key, value: of } = members;
    if (key === undefined || of === undefined)
      refuseOthers(members, KEY_VALUE, 'labels', 'a key and a value');
    return [textMember(key, 'labels.key'), textMember(of, 'labels.value')];
  });
}

function anyValue(value: unknown, what: string, bounds: OtlpBounds, nesting: number): AnyValue {
  if (nesting > MAX_NESTING) {
    throw new PoisonError('decode', 'nesting', `${what}: values nest deeper than ${MAX_NESTING}`);
  }
  const one = object(value, `${what}.value`);
  const has = (member: string) => one[member] !== undefined && one[member] !== null;
  if (has('stringValue')) return textMember(one['stringValue'], `${what}.stringValue`);
  if (has('boolValue')) {
    if (typeof one['boolValue'] !== 'boolean') throw wrong(`${what}.boolValue`, 'true or false');
    return one['boolValue'];
  }
  if (has('intValue')) return int64Member(one['intValue'], `${what}.intValue`);
  if (has('doubleValue')) return doubleMember(one['doubleValue'], `${what}.doubleValue`);
  if (has('arrayValue')) {
    const { values } = object(one['arrayValue'], `${what}.arrayValue`);
    const items = list(values, `${what}.arrayValue`);
    bounds.attribute(items.length - 1, `${what}.arrayValue`);
    return items.map((item) => anyValue(item, what, bounds, nesting + 1));
  }
  if (has('kvlistValue')) {
    const { values } = object(one['kvlistValue'], `${what}.kvlistValue`);
    return { entries: keyValues(values, `${what}.kvlistValue`, bounds, nesting + 1) };
  }
  if (has('bytesValue')) return Buffer.from(textMember(one['bytesValue'], `${what}.bytesValue`), 'base64');
  refuseOthers(one, ANY_VALUE, `${what}.value`, 'a value that is known');
  return null;
}

const KEY_VALUE: ReadonlySet<string> = new Set(['key', 'value']);
/** Members of AnyValue, which may be present and null. */
const ANY_VALUE: ReadonlySet<string> = new Set([
  'stringValue',
  'boolValue',
  'intValue',
  'doubleValue',
  'arrayValue',
  'kvlistValue',
  'bytesValue',
]);

/** Refuses unknown members in place of the expected ones, which would tell series apart. */
function refuseOthers(members: JsonObject, known: ReadonlySet<string>, what: string, expected: string): void {
  const others = otherMembers(members, known);
  if (others.length === 0) return;
  throw new PoisonError('decode', 'otlp_json', `there is not ${expected} in ${what}, but ${namesOf(others)}`);
}

function wrong(what: string, expected: string): PoisonError {
  return new PoisonError('decode', 'otlp_json', `${what} is not ${expected}`);
}
