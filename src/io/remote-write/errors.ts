import { PoisonError, RetryableError } from '../../core/model/errors.ts';

/** Statuses of a proxy whose node did not answer. */
const NO_ANSWER = new Set([502, 504]);

/** A request was sent and not answered: the node may have accepted it. */
export class AmbiguousDeliveryError extends RetryableError {}

/** An HTTP status that calls for a retry. */
export class HttpRetryableError extends RetryableError {
  readonly code: number;

  constructor(code: number, message: string, retryAfter: number | undefined) {
    super(message, { retryAfterMs: retryAfter });
    this.code = code;
  }
}

/** An HTTP status by which the node refuses the data for good. */
export class HttpRefusalError extends PoisonError {
  readonly code: number;

  constructor(code: number, message: string) {
    super('deliver', `http_${code}`, message);
    this.code = code;
  }
}

/** A refusal that is not about the data: the node refuses even an empty request, most likely since the URL is wrong. */
export class RefusesAllError extends HttpRetryableError {
  constructor(
    { code, message }: HttpRefusalError,
    why = 'and the same to an empty request: check the url of the node',
  ) {
    super(code, `${message} (${why})`, undefined);
  }
}

/** A record's header cannot be sent over HTTP, whatever its body. */
export class BadHeaderError extends PoisonError {}

/** True if the node may have accepted the request despite this error. */
export function mayHaveBeenTaken(error: unknown): boolean {
  return (
    error instanceof AmbiguousDeliveryError ||
    (error instanceof HttpRetryableError && NO_ANSWER.has(error.code))
  );
}
