import { decimalText } from './decimal.ts';

/** Key of the plain value that a message stands for, beside its fields. */
export const MEANING = Symbol('what a message stands for');

type Fields = Readonly<Record<string, unknown>>;
type Meaning = (fields: Fields) => unknown;

const wrapped: Meaning = ({ value }) => value;

/** Messages that stand for a plain value, by their full names. Timestamp is not one: see `timestampMs`. */
const KNOWN = new Map<string, Meaning>([
  ...['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'].map(
    (kind) => [`.google.protobuf.${kind}Value`, wrapped] as const,
  ),
  ['.google.protobuf.Value', (fields) => Object.values(fields)[0]],
  ['.google.protobuf.Struct', ({ fields }) => fields],
  ['.google.protobuf.Duration', ({ seconds, nanos }) => withNanos(seconds, nanos)],
  ['.google.type.Money', ({ units, nanos }) => withNanos(units, nanos)],
  ['.google.type.Decimal', wrapped],
  ['.confluent.type.Decimal', ({ value, scale }) => decimalText(value as Uint8Array, Number(scale))],
]);

/** Conversion of messages of that name to their plain value; undefined if they have none. */
export function meaningOf(fullName: string): Meaning | undefined {
  return KNOWN.get(fullName);
}

/** The plain value of a message that stands for one; else the value itself. */
export function plainMeaning(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !(MEANING in value)) return value;
  return value[MEANING];
}

/** Both parts have the same sign. Text, since a double would round. */
function withNanos(whole: unknown, nanos: unknown): string {
  const total = BigInt(whole as number | bigint) * 1_000_000_000n + BigInt(nanos as number);
  const digits = String(total < 0n ? -total : total).padStart(10, '0');
  const fraction = digits.slice(-9).replace(/0+$/, '');
  return `${total < 0n ? '-' : ''}${digits.slice(0, -9)}${fraction === '' ? '' : `.${fraction}`}`;
}
