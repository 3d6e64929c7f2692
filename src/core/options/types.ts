import * as z from 'zod';

/**
 * The kinds of value that options are made of: durations, sizes, secrets and names. Addresses: address.ts.
 *
 * Every message reads "what was wrong; what was expected", since it is printed after the file, line and key.
 */

const SECRETS = new WeakSet<z.ZodType>();
const PATHS = new WeakSet<z.ZodType>();

/** Longest duration: timers and Kafka's protocol have signed 32-bit ms. Also the largest size in Kafka's protocol. */
const INT32_MAX = 2 ** 31 - 1;

const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;
const DURATION_UNITS: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const SIZE = /^(\d+(?:\.\d+)?)(B|KB|KiB|MB|MiB|GB|GiB)$/;
const SIZE_UNITS: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  KiB: 2 ** 10,
  MB: 1e6,
  MiB: 2 ** 20,
  GB: 1e9,
  GiB: 2 ** 30,
};

interface Bounds {
  readonly min?: number;
  readonly max?: number;
}

/** A duration: `250ms`, `30s`, `5m`, `1h`, `7d`, or a number of milliseconds. Output: milliseconds. */
export function duration(bounds: Bounds = {}) {
  return quantity(
    DURATION,
    DURATION_UNITS,
    'a duration such as 250ms, 30s, 5m, 1h or 7d, or milliseconds',
    'ms',
    {
      min: bounds.min ?? 1,
      max: bounds.max ?? INT32_MAX,
    },
  );
}

/** A size: `900KiB`, `64MiB`, `1GB`, or a number of bytes. Output: bytes. */
export function size(bounds: Bounds = {}) {
  return quantity(SIZE, SIZE_UNITS, 'a size such as 900KiB or 64MiB, or a number of bytes', 'bytes', {
    min: bounds.min ?? 1,
    max: bounds.max ?? Number.MAX_SAFE_INTEGER,
  });
}

/** A size that goes into a signed 32-bit field of the Kafka protocol. Output: bytes. */
export function kafkaSize(bounds: Bounds = {}) {
  return size({ ...bounds, max: INT32_MAX });
}

function quantity(
  pattern: RegExp,
  units: Readonly<Record<string, number>>,
  expected: string,
  unit: string,
  bounds: Required<Bounds>,
) {
  const error = (issue: { input?: unknown }) => `${shown(issue.input)} cannot be read; expected ${expected}`;
  return z
    .union([z.number(), z.string().regex(pattern, { error })], { error })
    .transform((input, context) => {
      const [, digits = '', suffix = ''] = typeof input === 'number' ? [] : (pattern.exec(input) ?? []);
      const value =
        typeof input === 'number' ? input : Math.round(Number(digits) * (units[suffix] ?? Number.NaN));
      if (Number.isInteger(value) && value >= bounds.min && value <= bounds.max) return value;
      const range = `a whole number of ${unit} from ${bounds.min} to ${bounds.max}`;
      context.addIssue({ code: 'custom', message: `${shown(input)} is out of range; expected ${range}` });
      return z.NEVER;
    });
}

/** A text that must never be printed; `isSecret` recognises the schema. */
export function secret() {
  const schema = z.string().min(1).meta({ writeOnly: true });
  SECRETS.add(schema);
  return schema;
}

export function isSecret(schema: z.ZodType): boolean {
  return SECRETS.has(schema);
}

/** The path of a file that must be readable; in the configuration file it is relative to that file. */
export function filePath() {
  const schema = z.string().min(1);
  PATHS.add(schema);
  return schema;
}

export function isFilePath(schema: z.ZodType): boolean {
  return PATHS.has(schema);
}

/** A Kafka topic's name. */
export function topicName() {
  return z.string().regex(/^(?!\.{1,2}$)[A-Za-z0-9._-]{1,249}$/, {
    error: (issue) =>
      `${shown(issue.input)} is no topic name; expected 1 to 249 of the characters a-z A-Z 0-9 . _ -`,
  });
}

/** The name of a consumer group, a client or a user: a text without control characters and without blanks around it. */
export function plainName() {
  return z.string().regex(/^(?![\s\p{Cc}])[^\p{Cc}]{1,249}(?<![\s\p{Cc}])$/u, {
    error: (issue) =>
      `${shown(issue.input)} is no name; expected 1 to 249 characters, no control characters, no blanks around them`,
  });
}

/** A value as messages show it: short, and on one line. A text with @ may hold a login, so nothing of it is shown. */
export function shown(value: unknown): string {
  if (value === undefined || value === null) return 'no value';
  if (typeof value === 'string' && value.includes('@')) return 'the given value';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a mapping';
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 80 ? `${text.slice(0, 77)}…` : text;
}
