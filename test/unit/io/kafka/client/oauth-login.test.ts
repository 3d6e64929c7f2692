import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { ConnectionTrouble } from '../../../../../src/io/kafka/client/connection-trouble.ts';
import type { TokenSource } from '../../../../../src/io/kafka/client/oauth.ts';
import { oauthLogin } from '../../../../../src/io/kafka/client/oauth.ts';

/** Logs in with a token at a broker that answers so. @returns the tokens that were thrown away */
async function refusedTokens(answers: (string | Error)[]): Promise<string[]> {
  const refused: string[] = [];
  const source = { token: async () => 't1', refused: (token: string) => refused.push(token) };
  const tokens = source as Partial<TokenSource> as TokenSource;
  const login = oauthLogin(tokens, new ConnectionTrouble(pino({ level: 'silent' })));
  const { authenticate } = login.authenticationProvider({
    host: 'kafka',
    port: 9092,
    logger: undefined as never,
    saslAuthenticate: async () => {
      const answer = answers.shift();
      if (answer instanceof Error) throw answer;
      return answer as never;
    },
  });
  await assert.rejects(authenticate());
  return refused;
}

test('a token that the broker refuses is thrown away', async () => {
  assert.deepEqual(await refusedTokens(['{"status":"invalid_token"}', '']), ['t1']);
  const refusal = Object.assign(new Error('refused'), { type: 'SASL_AUTHENTICATION_FAILED' });
  assert.deepEqual(await refusedTokens([refusal]), ['t1']);
});

test('a token is kept when the connection breaks, or the broker hangs', async () => {
  const closed = Object.assign(new Error('Closed connection'), { name: 'KafkaJSConnectionClosedError' });
  assert.deepEqual(await refusedTokens([closed]), []);
});
