import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import { kafkaOptions } from '../../../../../src/io/kafka/client/options.ts';
import { refusal } from '../../../../../src/io/kafka/client/refusal.ts';
import {
  isConnectionTrouble,
  isLoginRefused,
  isRefused,
  KafkaLoginError,
} from '../../../../../src/io/kafka/errors.ts';

const brokers = ['a:9092', 'b:9092'];
const scram = kafkaOptions.parse({
  brokers,
  sasl: { mechanism: 'scram-sha-512', username: 'u', password: 'hush' },
});
const oauth = kafkaOptions.parse({
  brokers,
  tls: { enabled: true },
  sasl: {
    mechanism: 'oauthbearer',
    token_url: 'https://tokens.test/token',
    oauth_client_id: 'u',
    oauth_client_secret: 'hush',
  },
});

/** An error as kafkajs makes them. */
function kafkaError(message: string, more: { name?: string; type?: string; code?: string; cause?: unknown }) {
  return Object.assign(new Error(message), more);
}

const wrongPassword = kafkaError('SASL SCRAM SHA512 authentication failed: invalid credentials', {
  name: 'KafkaJSSASLAuthenticationError',
});
const interrupted = kafkaError('SASL SCRAM SHA512 authentication failed: Closed connection', {
  name: 'KafkaJSSASLAuthenticationError',
});
const expired = kafkaError('Connection error: certificate has expired', {
  name: 'KafkaJSConnectionError',
  code: 'CERT_HAS_EXPIRED',
});
const noRights = kafkaError('Not authorized to access topics', { type: 'TOPIC_AUTHORIZATION_FAILED' });
const refusedToken = new KafkaLoginError('a:9092 refuses the token: invalid_token');
const endpointDown = new RetryableError('No token from kafka.sasl.token_url https://…: it answered 503');

describe('what an error says about the login', () => {
  const cases: [what: string, error: Error, refused: boolean, trouble: boolean][] = [
    ['a wrong password', wrongPassword, true, false],
    ['a login that was cut off', interrupted, false, true],
    ['a refused token', refusedToken, true, false],
    ['a token endpoint that is down', endpointDown, false, true],
    [
      'a mechanism that the broker does not have',
      kafkaError('', { type: 'UNSUPPORTED_SASL_MECHANISM' }),
      true,
      false,
    ],
    ['a request between two logins', kafkaError('', { type: 'ILLEGAL_SASL_STATE' }), false, true],
    ['a defect', new TypeError('x is undefined'), false, false],
  ];
  for (const [what, error, refused, trouble] of cases) {
    test(what, () => {
      const wrapped = kafkaError('retries exceeded', { name: 'KafkaJSNonRetriableError', cause: error });
      for (const at of [error, wrapped]) {
        assert.deepEqual([isLoginRefused(at), isConnectionTrouble(at)], [refused, trouble]);
      }
    });
  }

  test('missing rights are a refusal, but none of the login: no new credentials mend it', () => {
    assert.deepEqual([isRefused(noRights), isLoginRefused(noRights)], [true, false]);
  });

  test('a certificate that does not hold is a refusal, though kafkajs calls it a connection error', () => {
    assert.equal(isLoginRefused(expired), true);
  });
});

describe('refusal', () => {
  const cases: [what: string, error: Error, options: typeof scram, line: string | RegExp][] = [
    [
      'a wrong password: the brokers, the mechanism, and the keys',
      wrongPassword,
      scram,
      /^Kafka \(a:9092, b:9092\) refuses the login by scram-sha-512: SASL .* invalid credentials; expected other kafka\.sasl\.username and password \(PENSTOCK_KAFKA_SASL_PASSWORD_FILE\)$/,
    ],
    [
      'a refused token',
      refusedToken,
      oauth,
      /^Kafka \(.*\) refuses the login by oauthbearer: a:9092 refuses the token: invalid_token; expected a token that the brokers accept: check kafka\.sasl\.token_url/,
    ],
    [
      'a certificate, with the keys of kafka.tls',
      kafkaError('Connection error: self-signed certificate', { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
      scram,
      /^Kafka \(.*\): Connection error: self-signed certificate; .* in kafka\.tls\.ca_file$/,
    ],
    [
      'missing rights',
      noRights,
      scram,
      /^Kafka \(.*\): Not authorized .*; expected rights for this user \(ACLs\)$/,
    ],
    [
      'the token endpoint, which says itself what to change',
      new KafkaLoginError('No token from kafka.sasl.token_url https://tokens.test/token: it answered 401'),
      oauth,
      'No token from kafka.sasl.token_url https://tokens.test/token: it answered 401',
    ],
    [
      "the token endpoint's certificate, with the key of its authorities",
      new RetryableError('No token from kafka.sasl.token_url https://tokens.test/token: unable to verify', {
        cause: kafkaError('', { code: 'UNABLE_TO_VERIFY_LEAF_SIGNATURE' }),
      }),
      oauth,
      /: unable to verify; .* in kafka\.sasl\.token_ca_file$/,
    ],
  ];
  for (const [what, error, options, line] of cases) {
    test(what, () => {
      const text = refusal(error, options);
      if (typeof line === 'string') assert.equal(text, line);
      else assert.match(text, line);
      assert.doesNotMatch(text, /hush|\n/);
    });
  }
});
