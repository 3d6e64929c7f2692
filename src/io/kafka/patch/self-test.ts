import { internals } from './load.ts';

/** One record of a made-up fetch response, in the shape of kafkajs' decoder. */
function record(offset: number, producerId: string, control?: 'abort' | 'commit') {
  const key = control === undefined ? Buffer.alloc(4) : Buffer.from([0, 0, 0, control === 'abort' ? 0 : 1]);
  return {
    offset: String(offset),
    key,
    isControlRecord: control !== undefined,
    batchContext: { producerId, inTransaction: producerId !== '-1' },
  };
}

/**
 * Checks that kafkajs uses the replacements of `load.ts`, before anything is read or written: no kafkajs module was
 * loaded before them, and of the replacements themselves the abort filter, the checksum and the added request versions
 * (TxnOffsetCommit, OffsetFetch, Metadata). The others are covered by tests only.
 *
 * The made-up fetch is one that leaks in kafkajs: two overlapping aborted transactions, listed by completion, and
 * records whose key is four zero bytes.
 *
 * @throws Error when one of these checks fails
 */
export function selfTest(): void {
  const messages = [
    record(0, '1'),
    record(1, '2'),
    record(2, '2', 'abort'),
    record(3, '1'),
    record(4, '1', 'abort'),
    record(5, '-1'),
    record(6, '1'),
    record(7, '1', 'commit'),
  ];
  const batch = new internals.Batch('self-test', '0', {
    partition: 0,
    highWatermark: '8',
    abortedTransactions: [
      { producerId: '2', firstOffset: '1' },
      { producerId: '1', firstOffset: '0' },
    ],
    messages,
  });
  const seen = batch.messages.map((message) => message.offset).join();
  const fails = (what: string) =>
    new Error(
      `kafkajs self-test failed: ${what}. Penstock would read or write wrong data and does not start.`,
    );
  if (seen !== '5,6') throw fails(`a read_committed reader saw the offsets ${seen} instead of 5,6`);
  // The check value of CRC-32C (RFC 3720, appendix B.4 gives others).
  if (internals.crc32c(Buffer.from('123456789')) !== 0xe3069283) throw fails('the CRC-32C checksum is wrong');
  if (!internals.requests['TxnOffsetCommit']?.versions.includes('3'))
    throw fails('TxnOffsetCommit v3 is missing');
  if (!internals.requests['OffsetFetch']?.versions.includes('7')) throw fails('OffsetFetch v7 is missing');
  if (!internals.requests['Metadata']?.versions.includes('10')) throw fails('Metadata v10 is missing');
  if (internals.loadedBefore !== undefined)
    throw fails(`${internals.loadedBefore} was loaded before its replacements`);
}
