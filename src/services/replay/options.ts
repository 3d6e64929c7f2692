import * as z from 'zod';
import { attemptKeys, refuseBackwardPauses, refuseHalfLogin } from '../../core/options/http.ts';
import { allowInsecure } from '../../core/options/insecure.ts';
import { refuseHalfPair, tlsKeys } from '../../core/options/tls.ts';
import { secret } from '../../core/options/types.ts';

/** Options of `penstock replay` that are not on its command line. Times in ms. */
export const replayOptions = z.strictObject({
  storage: z
    .strictObject({
      username: z
        .string()
        .regex(/^[^:\p{Cc}]+$/u, 'the user name has a colon or control characters; expected it without')
        .optional()
        .describe('User name, where the storage of --to-storage wants one.'),
      password: secret()
        .optional()
        .describe('Password of that user. Better from a file: PENSTOCK_REPLAY_STORAGE_PASSWORD_FILE.'),
      bearer_token: secret()
        .optional()
        .describe(
          'Log in with this token instead. Better from a file: PENSTOCK_REPLAY_STORAGE_BEARER_TOKEN_FILE.',
        ),
      allow_insecure: allowInsecure('password and token'),
      ...attemptKeys(),
      tls: z
        .strictObject(tlsKeys({ whose: "the storage's", hostName: "the URL's host" }))
        .prefault({})
        .describe('How https:// is spoken.'),
    })
    .superRefine((options, context) => {
      const refuse = (key: string, message: string, path = [key]) =>
        context.addIssue({ code: 'custom', path, message });
      refuseHalfPair(options.tls, (key, message) => refuse(key, message, ['tls', key]));
      refuseHalfLogin(options, refuse);
      if (options.username !== undefined && options.bearer_token !== undefined) {
        refuse('bearer_token', 'username is given too; expected one way to log in');
      }
      refuseBackwardPauses(options, refuse);
    })
    .prefault({})
    .describe('How the storage of --to-storage is reached.'),
});

export type ReplayOptions = z.output<typeof replayOptions>;
