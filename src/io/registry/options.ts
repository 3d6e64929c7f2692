import * as z from 'zod';
import { httpUrl } from '../../core/options/address.ts';
import { refuseHalfLogin } from '../../core/options/http.ts';
import { allowInsecure, isUnencrypted, unencrypted } from '../../core/options/insecure.ts';
import { refuseHalfPair, tlsKeys } from '../../core/options/tls.ts';
import { duration, plainName, secret } from '../../core/options/types.ts';

/** How to reach the schema registry. Times in ms. */
export const registryOptions = z
  .strictObject({
    url: httpUrl('username and password beside it')
      .optional()
      .describe(
        'Address of a Confluent-compatible registry, with the path of its API; absent: there is none.',
      ),
    username: plainName().optional().describe('User name, where the registry wants one.'),
    password: secret()
      .optional()
      .describe('Password of that user. Better from a file: PENSTOCK_REGISTRY_PASSWORD_FILE.'),
    allow_insecure: allowInsecure('user name and password'),
    timeout: duration()
      .prefault('10s')
      .describe(
        'Give up on a schema that has not come after this; its partitions wait, and it is tried again.',
      ),
    missing_ttl: duration()
      .prefault('1m')
      .describe('How long a schema id that the registry does not know is not asked for again.'),
    tls: z
      .strictObject(tlsKeys({ whose: "the registry's", hostName: 'the host of url' }))
      .prefault({})
      .describe('How https:// is spoken.'),
  })
  .superRefine((options, context) => {
    const refuse = (key: string, message: string, path = [key]) =>
      context.addIssue({ code: 'custom', path, message });
    refuseHalfPair(options.tls, (key, message) => refuse(key, message, ['tls', key]));
    refuseHalfLogin(options, refuse);
    const { url, password, allow_insecure } = options;
    if (url !== undefined && password !== undefined && isUnencrypted(url) && !allow_insecure) {
      refuse('url', unencrypted('the password', 'registry.allow_insecure'));
    }
  });

export type RegistryOptions = z.output<typeof registryOptions>;
