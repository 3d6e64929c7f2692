import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { describe, test } from 'node:test';
import { promisify } from 'node:util';
import { ROOT } from '../../../../lab/cache.ts';

const run = promisify(execFile);

/** What a process prints that loads `first`, and only then what Penstock connects with. */
async function connectAfter(first: string): Promise<string> {
  const script = `
    ${first === '' ? '' : `await import('${first}');`}
    const { KafkaConnection } = await import('./src/io/kafka/client/connection.ts');
    const { kafkaOptions } = await import('./src/io/kafka/client/options.ts');
    const { createLog } = await import('./src/io/telemetry/log.ts');
    try {
      new KafkaConnection(kafkaOptions.parse({ brokers: ['127.0.0.1:1'] }), createLog('silent', 'test'));
      console.log('connects');
    } catch (error) {
      console.log(error.message);
    }`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '--eval', script], { cwd: ROOT });
  return stdout.trim();
}

describe('kafkajs that was loaded before its replacements', { concurrency: 2 }, () => {
  const failed = (what: string) => new RegExp(`^kafkajs self-test failed: ${what}.*does not start`);
  const cases: [what: string, first: string, says: RegExp][] = [
    ['as a whole', 'kafkajs', failed('a read_committed reader saw the offsets 0,1,3,5,6 instead of 5,6')],
    ['the part that leaves out aborted records', 'kafkajs/src/consumer/batch.js', failed('a read_committed')],
    ['its table of requests', 'kafkajs/src/protocol/requests/index.js', failed('TxnOffsetCommit v3')],
    [
      'any other part',
      'kafkajs/src/protocol/recordBatch/v0/index.js',
      failed('.*kafkajs.*was loaded before'),
    ],
  ];
  for (const [what, first, says] of cases)
    test(`is refused: ${what}`, async () => assert.match(await connectAfter(first), says));

  test('is what fails, and not the self-test by itself', async () => {
    assert.equal(await connectAfter(''), 'connects');
  });
});
