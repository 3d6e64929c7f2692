/**
 * Errors carry the decision that their catcher has to make.
 *
 * - `ConfigError`: the user's configuration or arguments are wrong. Exit code 2, nothing is started.
 * - `PoisonError`: this record or series can never be used. It goes to the dead letters; the rest goes on.
 * - `RetryableError`: infrastructure is in trouble. The same work is tried again; nothing is committed.
 * - `DefectError`, and JavaScript's own errors for programming mistakes: a defect of Penstock. The process stops with
 *   the stack, Kafka holds the work.
 *
 * Anything else comes from a library that does I/O, and is tried again with its stack in the log.
 */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/** Stage at which a record or series failed, as dead letters and metrics name it. */
export type Stage = 'decode' | 'relabel' | 'encode' | 'deliver';

/** UTF-16 units of a message that are kept: the rest of a longer one is quoted input. */
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
    super(messageText(message), options);
    Error.stackTraceLimit = limit;
    this.stage = stage;
    this.reason = reason;
  }
}

/** Control characters (C0, DEL, C1), which terminals interpret, and lone surrogates. */
const UNPRINTABLE = /[\p{Cc}\p{Cs}]/gu;

/** The text, cut to 1,000 UTF-16 units, with control characters and lone surrogates escaped (`\u001b`). */
export function messageText(text: string): string {
  // The Buffer makes a copy: V8 keeps all of a text in memory for a slice of it.
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

/** An unexpected error while one record was processed. The cause has the stack. */
export class RecordDefect extends DefectError {
  /** `decode`: nothing of the record was sent on. `walk`: some of its series may have been. */
  readonly during: 'decode' | 'walk';

  constructor(during: RecordDefect['during'], cause: unknown) {
    super(`a defect of Penstock: ${errorMessage(cause)}`, { cause });
    this.during = during;
  }
}

/**
 * Runs work that does no I/O and does not throw for bad input: any other error is a defect.
 *
 * @throws DefectError, and RetryableError if the work throws one
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

/** Error for a record with more headers than are read. */
export function tooManyHeaders(headersLeftOut: number, stage: Stage = 'decode'): PoisonError {
  return new PoisonError(
    stage,
    'too_many_headers',
    `the record has ${headersLeftOut} headers more than are read; expected some ten`,
  );
}
