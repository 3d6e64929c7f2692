import { PoisonError, RetryableError } from '../../core/model/errors.ts';

/** A proxy's words for a node that did not answer it. */
const NO_ANSWER = new Set([502, 504]);

/** A request was sent and no answer came: the node may have taken it. */
export class AmbiguousDeliveryError extends RetryableError {}

/** An answer that asks to come again. */
export class HttpRetryableError extends RetryableError {
  readonly code: number;

  constructor(code: number, message: string, retryAfter: number | undefined) {
    super(message, { retryAfterMs: retryAfter });
    this.code = code;
  }
}

/** The node refuses every request: most likely the address is wrong. */
export class RefusesAllError extends HttpRetryableError {
  constructor({ reason, message }: PoisonError) {
    super(
      Number(reason.replace('http_', '')),
      `${message} (and the same to an empty request: check the url of the node)`,
      undefined,
    );
  }
}

/** A record's header cannot go to a node, whatever its body. */
export class BadHeaderError extends PoisonError {}

/** Whether a request that failed so may have been taken all the same. */
export function mayHaveBeenTaken(error: unknown): boolean {
  return (
    error instanceof AmbiguousDeliveryError ||
    (error instanceof HttpRetryableError && NO_ANSWER.has(error.code))
  );
}
