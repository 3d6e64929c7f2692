import * as z from 'zod';
import { duration, secret } from '../option-types.ts';
import { refuseHalfPair, tlsKeys } from '../tls-options.ts';

/** `penstock replay`, as far as it is not told on its command line. Times in ms. */
export const replayOptions = z.strictObject({
  storage: z
    .strictObject({
      username: z
        .string()
        .regex(/^[^:\p{Cc}]+$/u, 'the user name has a colon or control characters; expected it without')
        .optional()
        .describe('User name, where the storage of --to-storage wants one.'),
      password: secret().optional().describe('Password of that user.'),
      bearer_token: secret().optional().describe('Log in with this token instead.'),
      request_timeout: duration()
        .prefault('30s')
        .describe('Give up on an unanswered remote-write request after this, and try again.'),
      backoff_min: duration()
        .prefault('100ms')
        .describe('First pause after a failed request; it doubles, with jitter.'),
      backoff_max: duration()
        .prefault('30s')
        .describe('Longest pause between attempts, unless Retry-After asks for more.'),
      tls: z
        .strictObject(tlsKeys({ whose: "the storage's", hostName: "the URL's host" }))
        .prefault({})
        .describe('How https:// is spoken.'),
    })
    .superRefine((options, context) => {
      const refuse = (path: string[], message: string) => context.addIssue({ code: 'custom', path, message });
      refuseHalfPair(options.tls, (key, message) => refuse(['tls', key], message));
      const { username, password, bearer_token, backoff_min, backoff_max } = options;
      if (username === undefined && password !== undefined) {
        refuse(['password'], 'a password without its user; expected username beside it');
      }
      if (username !== undefined && password === undefined) {
        refuse(['username'], 'a user without a password; expected password beside it');
      }
      if (username !== undefined && bearer_token !== undefined) {
        refuse(['bearer_token'], 'username is given too; expected one way to log in');
      }
      if (backoff_min > backoff_max) {
        refuse(
          ['backoff_min'],
          `${backoff_min} ms is too long; expected at most backoff_max (${backoff_max} ms)`,
        );
      }
    })
    .prefault({})
    .describe('How storage is reached that is replayed to.'),
});

export type ReplayOptions = z.output<typeof replayOptions>;
