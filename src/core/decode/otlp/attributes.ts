import { PoisonError } from '../../model/errors.ts';
import { formatGeneral, formatPlain } from '../text/go-float.ts';

/**
 * An attribute's value (opentelemetry/proto/common/v1/common.proto, AnyValue), however it was encoded: integers are
 * bigint, doubles number, bytes Uint8Array; null is a value that is not set.
 */
export type AnyValue =
  | string
  | boolean
  | bigint
  | number
  | Uint8Array
  | null
  | readonly AnyValue[]
  | KeyValueList;

export interface KeyValueList {
  readonly entries: KeyValues;
}

/** In order of arrival. Keys may repeat; attributes without a key are ignored. */
export type KeyValues = readonly (readonly [key: string, value: AnyValue])[];

/** Deepest nesting of values: a label name from a key list contains all keys above it. */
export const MAX_NESTING = 32;

/** Sets one label. */
export type SetLabel = (name: string, value: string) => void;

/**
 * Attributes as labels, as vmagent makes them: doubles without exponent, bytes in base64, arrays as JSON, key lists as
 * one label a leaf with the keys joined by dots.
 */
export function attributeLabels(attributes: KeyValues, prefix: string, set: SetLabel): void {
  for (const [key, value] of attributes) {
    if (key === '' || value === null) continue;
    const name = prefix === '' ? key : `${prefix}.${key}`;
    if (isKeyValueList(value)) attributeLabels(value.entries, name, set);
    else set(name, valueText(value));
  }
}

function valueText(value: Exclude<AnyValue, null | KeyValueList>): string {
  if (typeof value === 'string') return value;
  if (typeof value === 'number') return formatPlain(value);
  if (value instanceof Uint8Array) return base64(value);
  return Array.isArray(value) ? jsonText(value, { characters: MOST_JSON }) : String(value);
}

/** Most characters of strings and bytes in an array that becomes one label; escaping may make six of each. */
const MOST_JSON = 1024 * 1024;

function jsonText(value: AnyValue, left: { characters: number }): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return stringText(value, left);
  if (typeof value === 'number') return formatGeneral(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return stringText(base64(value), left);
  if (!isKeyValueList(value)) return `[${value.map((item) => jsonText(item, left)).join(',')}]`;
  const members = new Map<string, string>();
  for (const [key, member] of value.entries) if (key !== '') members.set(key, jsonText(member, left));
  return `{${[...members].map(([key, member]) => `${stringText(key, left)}:${member}`).join(',')}}`;
}

function stringText(text: string, left: { characters: number }): string {
  left.characters -= text.length;
  if (left.characters >= 0) return JSON.stringify(text);
  throw new PoisonError(
    'decode',
    'label_value_too_long',
    `an attribute that is an array has more than ${MOST_JSON} characters, and would be one label`,
  );
}

function isKeyValueList(value: AnyValue): value is KeyValueList {
  return (
    typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value)
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
