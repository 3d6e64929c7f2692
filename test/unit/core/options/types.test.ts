import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { address, splitAddress } from '../../../../src/core/options/address.ts';
import { shown } from '../../../../src/core/options/types.ts';

describe('addresses', () => {
  const good = ['localhost:9092', '10.0.0.1:1', 'kafka-0.kafka.svc:65535', '[::1]:9092'];
  const onlyToListen = [':9480', '0.0.0.0:0', '[::]:0'];
  const bad = ['', 'localhost', 'localhost:', 'a:65536', 'a:b', '::1:9092', 'http://a:1', 'a b:1', 'a:1/x'];
  for (const text of good) {
    it(`${text} is one`, () => assert.equal(address().safeParse(text).success, true));
  }
  for (const text of onlyToListen) {
    it(`${text} is one to listen on, not one to connect to`, () => {
      assert.equal(address({ anyHost: true }).safeParse(text).success, true);
      assert.equal(address().safeParse(text).success, false);
    });
  }
  for (const text of bad) {
    it(`${JSON.stringify(text)} is none`, () => {
      assert.equal(address({ anyHost: true }).safeParse(text).success, false);
    });
  }

  it('are split into host and port', () => {
    assert.deepEqual(splitAddress('[::1]:9092'), { host: '::1', port: 9092 });
    assert.deepEqual(splitAddress(':9480'), { host: '', port: 9480 });
    assert.deepEqual(splitAddress('a:1'), { host: 'a', port: 1 });
  });
});

describe('shown', () => {
  it('is short and on one line', () => {
    assert.equal(shown('a\nb'), '"a\\nb"');
    assert.equal(shown('x'.repeat(500)).length, 78);
    assert.equal(shown(null), 'no value');
    assert.equal(shown([1]), 'a list');
    assert.equal(shown({}), 'a mapping');
  });

  it('has nothing of a text that may hold a login', () => {
    assert.equal(shown('user:password@host'), 'the given value');
  });
});
