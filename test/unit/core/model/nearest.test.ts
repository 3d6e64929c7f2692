import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { expectedName, nearest } from '../../../../src/core/model/nearest.ts';

describe('nearest', () => {
  const names = ['brokers', 'client_id', 'connection_timeout', 'request_timeout', 'tls'];
  const cases: [word: string, expected: string | undefined][] = [
    ['broker', 'brokers'],
    ['borkers', 'brokers'],
    ['BROKERS', 'brokers'],
    ['conection_timeout', 'connection_timeout'],
    ['timeout', undefined],
    ['tsl', 'tls'],
    ['completely_else', undefined],
  ];
  for (const [word, expected] of cases) {
    it(`${word} ▸ ${expected}`, () => assert.equal(nearest(word, names), expected));
  }

  it('takes the nearer of two that are near', () => {
    assert.equal(nearest('count', ['mount_x', 'counts', 'county']), 'counts');
  });

  it('lists the candidates when none is near', () => {
    assert.equal(expectedName('zzzzzz', ['a', 'b']), 'expected one of a, b');
    assert.equal(expectedName('brokrs', names), 'expected brokers?');
  });
});
