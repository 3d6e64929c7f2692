import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createDecoders, DecoderRegistry } from '../../../../src/core/decode/registry.ts';
import { PoisonError, RetryableError } from '../../../../src/core/model/errors.ts';
import { runRecords } from '../../../../src/core/pipeline/careful-step.ts';
import { Pipeline, type PipelineRoute } from '../../../../src/core/pipeline/pipeline.ts';
import { uncompress } from '../../../../src/core/wire/snappy.ts';
import { everyRoute, rawRecord, seriesRecord } from '../../../support/records.ts';

const MIB = 1024 * 1024;

function pipelineOf(route: PipelineRoute, more: Partial<ConstructorParameters<typeof Pipeline>[0]> = {}) {
  return new Pipeline({ routes: [route], cacheBytes: MIB, maxRecordBytes: () => MIB, ...more });
}

/** Runs records; which were told of as defects, and which of them became dead letters. */
function run(pipeline: Pipeline, records: ReturnType<typeof seriesRecord>[]) {
  const defects: bigint[] = [];
  const { output, count } = runRecords(pipeline, records, {
    isFull: () => false,
    onDefect: ({ offset }) => defects.push(offset),
  });
  const sent = output.records.map(({ value }) => uncompress(value, MIB).toString('latin1')).join();
  return { output, count, defects, sent };
}

/** What a program may throw that has a mistake. */
const THROWS: Record<string, () => unknown> = {
  TypeError: () => (undefined as unknown as { x: { y: 1 } }).x.y,
  'an error of its own': () => {
    throw new Error('nobody foresaw this');
  },
  'something that is no error': () => {
    throw 'text';
  },
  'end of the stack': function forever(): unknown {
    return [forever()];
  },
  'no memory': () => new ArrayBuffer(2 ** 53 - 1),
  'text too long': () => 'x'.repeat(2 ** 29).repeat(4),
};

for (const [what, mistake] of Object.entries(THROWS)) {
  describe(what, () => {
    /** A decoder that throws for the record `bad`. */
    const decoders = () => {
      const all = createDecoders().map((decoder) =>
        decoder.name !== 'graphite' ? decoder : { ...decoder, decode: () => mistake() as never },
      );
      return new DecoderRegistry('auto', all);
    };
    const bad = (offset: number) =>
      rawRecord(offset, Buffer.from('a 1 1\n'), { 'content-type': 'application/vnd.graphite', x: 'y' });

    test('from a decoder sets one record aside', () => {
      let registry = decoders();
      let renewed = 0;
      const graphite = createDecoders().find(({ name }) => name === 'graphite')!;
      const record = { ...bad(1), headers: { 'content-type': graphite.contentTypes[0]!, x: 'y' } };
      const pipeline = pipelineOf(everyRoute(), {
        decoders: () => registry,
        renewDecoders: () => {
          registry = decoders();
          renewed++;
        },
      });
      const { output, defects, sent, count } = run(pipeline, [
        seriesRecord(0, ['one']),
        record,
        seriesRecord(2, ['two']),
      ]);
      assert.equal(count, 3);
      assert.deepEqual(defects, [1n]);
      assert.equal(renewed, 2);
      assert.ok(sent.includes('one') && sent.includes('two'));
      const [letter] = output.dead;
      assert.equal(output.dead.length, 1);
      assert.deepEqual(
        [letter!.reason, letter!.value, letter!.headers],
        ['defect', record.value, record.headers],
      );
      assert.deepEqual([output.counts.records, output.counts.deadRecords], [3, 1]);
    });

    test('from relabeling sets one record aside, and nothing of it is sent', () => {
      const route = everyRoute({
        hasRules: true,
        relabeler: {
          apply: (labels) => (labels[0]!.value === 'bad' ? (mistake() as never) : [...labels]),
        },
      });
      const records = [
        seriesRecord(0, ['one']),
        seriesRecord(1, ['half', 'bad', 'other']),
        seriesRecord(2, ['bad']),
        seriesRecord(3, ['two']),
      ];
      const { output, defects, sent } = run(pipelineOf(route), records);
      assert.deepEqual(defects, [1n, 2n]);
      assert.deepEqual(
        output.dead.map(({ source, reason }) => [source.offset, reason]),
        [
          [1n, 'defect'],
          [2n, 'defect'],
        ],
      );
      assert.ok(sent.includes('one') && sent.includes('two'));
      assert.ok(!sent.includes('half') && !sent.includes('other'));
      assert.equal(output.counts.series, 2);
      assert.equal(output.counts.records, 4);
    });
  });
}

test('an error that does not come again costs no record', () => {
  let calls = 0;
  const route = everyRoute({
    hasRules: true,
    relabeler: {
      apply: (labels) => {
        if (++calls === 2) throw new TypeError('once');
        return [...labels];
      },
    },
  });
  const { output, defects } = run(pipelineOf(route), [seriesRecord(0, ['a']), seriesRecord(1, ['b'])]);
  assert.deepEqual(defects, []);
  assert.equal(output.dead.length, 0);
  assert.equal(output.counts.series, 2);
});

test('an error that no record alone leads to is for the process', () => {
  const step = { process: () => undefined, load: {}, finish: () => assert.fail('no finish') };
  const pipeline = { begin: () => step, renew: () => undefined, scratch: () => pipelineOf(everyRoute()) };
  const onDefect = () => assert.fail('a record was blamed');
  const records = [seriesRecord(0, ['a'])];
  assert.throws(
    () => runRecords(pipeline as unknown as Pipeline, records, { isFull: () => true, onDefect }),
    /no finish/,
  );
});

test('what may pass later is left to the caller', () => {
  const route = everyRoute({
    hasRules: true,
    relabeler: {
      apply: () => {
        throw new RetryableError('later');
      },
    },
  });
  assert.throws(() => run(pipelineOf(route), [seriesRecord(0, ['a'])]), RetryableError);
});

test('a record that is known to be of no use is not read', () => {
  const { output } = runRecords(pipelineOf(everyRoute()), [seriesRecord(0, ['a']), seriesRecord(1, ['b'])], {
    isFull: () => false,
    onDefect: () => assert.fail(),
    refusalOf: ({ offset }) =>
      offset === 0n ? new PoisonError('encode', 'message_too_large', 'x') : undefined,
  });
  assert.deepEqual(
    output.dead.map(({ source, stage, reason }) => [source.offset, stage, reason]),
    [[0n, 'encode', 'message_too_large']],
  );
  assert.equal(output.counts.series, 1);
});
