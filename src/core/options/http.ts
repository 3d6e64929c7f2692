import { duration } from './types.ts';

/** Timeout and retry keys of every section with a remote-write receiver. Output: milliseconds. */
export function attemptKeys() {
  return {
    request_timeout: duration()
      .prefault('30s')
      .describe('Give up on an unanswered remote-write request after this, and try again.'),
    backoff_min: duration()
      .prefault('100ms')
      .describe('First pause after a failed request; it doubles, with jitter.'),
    backoff_max: duration()
      .prefault('30s')
      .describe('Longest pause between attempts, unless Retry-After asks for more.'),
  };
}

type Refuse = (key: string, message: string) => void;

/** Reports a `backoff_min` above `backoff_max`. */
export function refuseBackwardPauses(
  options: { readonly backoff_min: number; readonly backoff_max: number },
  refuse: Refuse,
): void {
  const { backoff_min, backoff_max } = options;
  if (backoff_min > backoff_max) {
    refuse('backoff_min', `${backoff_min} ms is too long; expected at most backoff_max (${backoff_max} ms)`);
  }
}

/** Reports a user without a password, and a password without a user. */
export function refuseHalfLogin(
  options: { readonly username?: string | undefined; readonly password?: string | undefined },
  refuse: Refuse,
): void {
  const { username, password } = options;
  if (username === undefined && password !== undefined) {
    refuse('password', 'a password without its user; expected username beside it');
  }
  if (username !== undefined && password === undefined) {
    refuse('username', 'a user without a password; expected password beside it');
  }
}
