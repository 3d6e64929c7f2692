import * as z from 'zod';
import { address, httpUrl } from '../../../core/options/address.ts';
import { allowInsecure, isUnencrypted, unencrypted } from '../../../core/options/insecure.ts';
import { refuseHalfPair, tlsKeys } from '../../../core/options/tls.ts';
import { duration, filePath, plainName, secret } from '../../../core/options/types.ts';

const tls = z
  .strictObject({
    enabled: z
      .boolean()
      .default(false)
      .describe('Speak TLS with the brokers. The other keys need this to be true.'),
    ...tlsKeys({ whose: "the brokers'", hostName: "the broker's host name" }),
  })
  .superRefine((options, context) => {
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: [key], message });
    refuseHalfPair(options, refuse);
    if (options.enabled) return;
    for (const key of ['ca_file', 'cert_file', 'key_file', 'server_name'] as const) {
      if (options[key] !== undefined) refuse(key, 'TLS is off; expected enabled: true, or this key left out');
    }
    if (options.insecure_skip_verify) {
      refuse('insecure_skip_verify', 'TLS is off; expected enabled: true, or this key left out');
    }
  });

/** Credential that a mechanism sends readable without TLS. SCRAM sends none that could be reused. */
const READABLE: Readonly<Record<string, string>> = { plain: 'the password', oauthbearer: 'the token' };

const PASSWORD_KEYS = ['username', 'password'] as const;
const OAUTH_KEYS = ['token_url', 'oauth_client_id', 'oauth_client_secret'] as const;
const OAUTH_EXTRAS = ['scope', 'token_ca_file'] as const;
const SASL_KEYS = [...PASSWORD_KEYS, ...OAUTH_KEYS, ...OAUTH_EXTRAS] as const;

function neededKeys(mechanism: string): readonly (typeof SASL_KEYS)[number][] {
  if (mechanism === 'none') return [];
  return mechanism === 'oauthbearer' ? OAUTH_KEYS : PASSWORD_KEYS;
}

const sasl = z
  .strictObject({
    mechanism: z
      .enum(['none', 'plain', 'scram-sha-256', 'scram-sha-512', 'oauthbearer'])
      .default('none')
      .describe('How to log in to the brokers: none, a password (plain, scram-…), or an OAuth 2 token.'),
    username: plainName().optional().describe('User name for plain and scram.'),
    password: secret()
      .optional()
      .describe('Password for plain and scram. Better from a file: PENSTOCK_KAFKA_SASL_PASSWORD_FILE.'),
    token_url: httpUrl()
      .optional()
      .describe('OAuth 2 token endpoint (client credentials grant) for oauthbearer.'),
    token_ca_file: filePath()
      .optional()
      .describe(
        "PEM file of the authorities that signed the token endpoint's certificate; absent: the system's.",
      ),
    oauth_client_id: plainName().optional().describe('Client id at the token endpoint.'),
    oauth_client_secret: secret()
      .optional()
      .describe(
        'Client secret at the token endpoint. Better from a file: PENSTOCK_KAFKA_SASL_OAUTH_CLIENT_SECRET_FILE.',
      ),
    scope: z.string().min(1).optional().describe('Scope to ask the token endpoint for.'),
    allow_insecure: allowInsecure('passwords, client secrets and tokens'),
  })
  .superRefine((options, context) => {
    const { mechanism } = options;
    const needed: readonly string[] = neededKeys(mechanism);
    for (const key of SASL_KEYS) {
      const given = options[key] !== undefined;
      const usable =
        needed.includes(key) || (mechanism === 'oauthbearer' && OAUTH_EXTRAS.some((extra) => extra === key));
      if (needed.includes(key) && !given) {
        const message = `missing; expected a value, since mechanism ${mechanism} needs it`;
        context.addIssue({ code: 'custom', path: [key], message });
      } else if (given && !usable) {
        const message = `mechanism ${mechanism} has no use for it; expected another mechanism, or this key left out`;
        context.addIssue({ code: 'custom', path: [key], message });
      }
    }
  });

/** How to reach the Kafka cluster. All times in ms. */
export const kafkaOptions = z
  .strictObject({
    brokers: z
      .array(address())
      .min(1, 'the list is empty; expected at least one host:port')
      .default(['localhost:9092'])
      .describe('Brokers to ask first, as host:port; one that answers is enough.'),
    client_id: plainName().default('penstock').describe("Name in the brokers' logs and quotas."),
    connection_timeout: duration().prefault('10s').describe('Give up on a connection attempt after this.'),
    request_timeout: duration().prefault('30s').describe('Give up on an unanswered request after this.'),
    tls: tls
      .prefault({})
      .describe(
        'Encryption between Penstock and the brokers. Certificate files are read again at each connection.',
      ),
    sasl: sasl.prefault({}).describe('Login at the brokers.'),
  })
  .superRefine(({ tls: { enabled }, sasl }, context) => {
    const { mechanism, token_url, allow_insecure } = sasl;
    const refuse = (key: string, message: string) =>
      context.addIssue({ code: 'custom', path: ['sasl', key], message });
    // Missing keys are reported first.
    if (allow_insecure || neededKeys(mechanism).some((key) => sasl[key] === undefined)) return;
    const readable = READABLE[mechanism];
    if (readable !== undefined && !enabled) {
      const message = `mechanism ${mechanism} sends ${readable} as it is, and TLS is off`;
      refuse('mechanism', `${message}; expected kafka.tls.enabled: true, or kafka.sasl.allow_insecure: true`);
    }
    if (mechanism === 'oauthbearer' && token_url !== undefined && isUnencrypted(token_url)) {
      refuse('token_url', unencrypted('the client secret', 'kafka.sasl.allow_insecure'));
    }
  });

export type KafkaOptions = z.output<typeof kafkaOptions>;
