/**
 * Errors carry the decision that their catcher has to make.
 *
 * - `ConfigError`: the user's configuration or arguments are wrong. Exit code 2, nothing is started.
 * - `PoisonError`: this record or series can never be used. It goes to the dead letters; the rest goes on.
 * - `RetryableError`: infrastructure is in trouble. The same work is tried again; nothing is committed.
 * - `DefectError`, and what JavaScript throws for a mistake in a program: a defect of Penstock. The process stops with
 *   the stack, Kafka holds the work.
 *
 * Anything else comes from a library that reaches outside, and is tried again with its stack in the log.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Where a record or series failed, as dead letters and metrics name it. */
export type Stage = 'decode' | 'relabel' | 'encode' | 'deliver';

/** A message says what is wrong; more of it than this is quoted input. */
const MESSAGE_UNITS = 1_000;

/**
 * A record or series that can never be used, whatever is tried.
 *
 * It has no stack: a record may hold a million series that are wrong, and capturing a stack costs 3 µs for each. Its
 * message may quote input, so it is cut, and has no control characters.
 */
export class PoisonError extends Error {
  override readonly name = 'PoisonError';
  readonly stage: Stage;
  /** Short, stable identifier for metrics and for `penstock dead`: `snappy`, `protobuf`, `empty_record`, … */
  readonly reason: string;

  constructor(stage: Stage, reason: string, message: string, options?: ErrorOptions) {
    const limit = Error.stackTraceLimit;
    Error.stackTraceLimit = 0;
    super(printable(message), options);
    Error.stackTraceLimit = limit;
    this.stage = stage;
    this.reason = reason;
  }
}

/** C0, DEL and C1 control characters, which a terminal or a log obeys, and halves of surrogate pairs. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/** The text, at most 1,000 UTF-16 units of it, with control characters written as `\u001b`. */
export function printable(text: string): string {
  // Joined with other text by concatenation, V8 would keep all of the text for the part of it.
  const short =
    text.length <= MESSAGE_UNITS ? text : `${Buffer.from(text.slice(0, MESSAGE_UNITS)).toString()}…`;
  return short.search(UNPRINTABLE) < 0 ? short : short.replace(UNPRINTABLE, escaped);
}

function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

/** Transient infrastructure failure: retry. */
export class RetryableError extends Error {
  override readonly name: string = 'RetryableError';
  /** Milliseconds that the other side asked to wait (Retry-After), if it did. */
  readonly retryAfterMs: number | undefined;

  constructor(message: string, options?: ErrorOptions & { retryAfterMs?: number | undefined }) {
    super(message, options);
    this.retryAfterMs = options?.retryAfterMs;
  }
}

/** A defect of Penstock: neither time nor an operator can fix it. The cause has the stack. */
export class DefectError extends Error {
  override readonly name = 'DefectError';
}

/** An error that nobody foresaw, met while one record was read. The cause has the stack. */
export class RecordDefect extends DefectError {
  /** How far it came: `decode` is before anything of the record was sent on. */
  readonly during: 'decode' | 'walk';

  constructor(during: RecordDefect['during'], cause: unknown) {
    super(`a defect of Penstock: ${errorMessage(cause)}`, { cause });
    this.during = during;
  }
}

/**
 * Runs work that does no I/O, and takes bad input for data: what it throws is a defect.
 *
 * @throws DefectError; RetryableError where the work says that itself
 */
export function orDefect<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    if (error instanceof RetryableError || error instanceof DefectError) throw error;
    throw new DefectError(`a defect of Penstock: ${errorMessage(error)}`, { cause: error });
  }
}

/** The message of anything that was thrown. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A record not all of whose headers were read. */
export function tooManyHeaders(headersLeftOut: number, stage: Stage = 'decode'): PoisonError {
  return new PoisonError(
    stage,
    'too_many_headers',
    `the record has ${headersLeftOut} headers more than are read; expected some ten`,
  );
}
