import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PoisonError, RetryableError } from '../../../../src/core/model/errors.ts';
import { schemaIn } from '../../../../src/io/registry/answer.ts';

const url = 'http://registry/schemas/ids/7';

test('a schema is an answer with one', () => {
  const data = { schema: '"string"' };
  assert.equal(schemaIn({ url, status: 200, data }, 7), data);
});

const POISON: [string, number, unknown][] = [
  ['schema_id', 404, { error_code: 40403, message: 'Schema not found' }],
  ['schema_reference', 404, { error_code: 40401, message: 'Subject not found' }],
  ['schema_reference', 404, { error_code: 40402, message: 'Version not found' }],
];
for (const [reason, status, data] of POISON) {
  test(`${JSON.stringify(data)} is poison: the registry is well`, () => {
    assert.throws(
      () => schemaIn({ url, status, data }, 7),
      (error) => error instanceof PoisonError && error.reason === reason && error.message.includes('7'),
    );
  });
}

const RETRYABLE: [number, unknown, RegExp][] = [
  [404, 'no such page', /registry\.url/],
  [404, { error_code: 404, message: 'HTTP 404 Not Found' }, /registry\.url/],
  [500, { error_code: 50001, message: 'Error in the backend data store' }, /backend data store/],
  [503, '', /answers 503: nothing/],
  [502, null, /502/],
  [401, '', /registry\.username/],
  [403, { error_code: 40301 }, /registry\.username/],
  [429, 'slow down', /slow down/],
  [302, '', /302/],
  [200, '<html>Log in</html>', /is registry\.url a registry/],
  [200, { schema: 5 }, /is registry\.url a registry/],
  [200, null, /is registry\.url a registry/],
];
for (const [status, data, message] of RETRYABLE) {
  test(`${status} with ${JSON.stringify(data)} is waited out`, () => {
    assert.throws(
      () => schemaIn({ url, status, data }, 7),
      (error) =>
        error instanceof RetryableError && message.test(error.message) && error.message.includes(url),
    );
  });
}
