import type { Mechanism } from 'kafkajs';
import { isLoginRefused, KafkaLoginError } from '../errors.ts';
import type { ConnectionTrouble } from './connection-trouble.ts';
import type { TokenSource } from './oauth.ts';

/** Separates and ends the parts of a message (RFC 7628 section 3.1). */
const SEPARATOR = 0x01;

/**
 * The login of SASL OAUTHBEARER (RFC 7628).
 *
 * kafkajs' own takes every answer for a success. A broker refuses a token with an answer that says why, and
 * then closes the connection, which looks like a broker that restarts and would be tried for ever.
 */
export function oauthLogin(tokens: TokenSource, trouble: ConnectionTrouble): Mechanism {
  return {
    mechanism: 'oauthbearer',
    authenticationProvider: ({ host, port, saslAuthenticate }) => ({
      authenticate: async () => {
        const token = await tokens.token();
        const message = Buffer.from(`n,,\u0001auth=Bearer ${token}\u0001\u0001`);
        try {
          const refusal = await saslAuthenticate<string>({ request: request(message), response });
          if (!refusal) return;
          // The client has to acknowledge the refusal before the broker ends the exchange (section 3.2.3).
          await saslAuthenticate({ request: request(Buffer.from([SEPARATOR])), response }).catch(
            () => undefined,
          );
          const reason = /"status"\s*:\s*"([\w ]{1,40})"/.exec(refusal)?.[1] ?? 'no reason given';
          const error = new KafkaLoginError(`${host}:${port} refuses the token: ${reason}`);
          trouble.failed(`${host}:${port}`, error);
          throw error;
        } catch (error) {
          // A broken connection says nothing about the token.
          if (isLoginRefused(error)) tokens.refused(token);
          throw error;
        }
      },
    }),
  };
}

/** kafkajs expects the length in front of a request, and puts one in front of the answer. */
function request(message: Buffer) {
  const length = Buffer.alloc(4);
  length.writeInt32BE(message.length);
  return { encode: () => Buffer.concat([length, message]) };
}

const response = {
  decode: (bytes: Buffer) => bytes.subarray(4),
  parse: (bytes: Buffer) => bytes.toString('utf8'),
};
