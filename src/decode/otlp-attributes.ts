import { formatGeneral, formatPlain } from './go-float.ts';

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

/** In order of arrival. A key may be there more than once; without a key an attribute does not count. */
export type KeyValues = readonly (readonly [key: string, value: AnyValue])[];

/** How deep values may nest: key lists put all keys above them into a label's name. */
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
  return Array.isArray(value) ? jsonText(value) : String(value);
}

function jsonText(value: AnyValue): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number') return formatGeneral(value);
  if (typeof value === 'boolean' || typeof value === 'bigint') return String(value);
  if (value instanceof Uint8Array) return JSON.stringify(base64(value));
  if (!isKeyValueList(value)) return `[${value.map(jsonText).join(',')}]`;
  const members = new Map<string, string>();
  for (const [key, member] of value.entries) if (key !== '') members.set(key, jsonText(member));
  return `{${[...members].map(([key, member]) => `${JSON.stringify(key)}:${member}`).join(',')}}`;
}

function isKeyValueList(value: AnyValue): value is KeyValueList {
  return (
    typeof value === 'object' && value !== null && !(value instanceof Uint8Array) && !Array.isArray(value)
  );
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length).toString('base64');
}
