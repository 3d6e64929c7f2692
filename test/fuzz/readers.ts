import { JsonOutput } from '../../src/app/commands/decode-output.ts';
import { DEFAULT_LIMITS } from '../../src/core/decode/decoder.ts';
import type { DecoderRegistry } from '../../src/core/decode/registry.ts';
import { METRIC_BATCH } from '../../src/core/decode/schema/mapping.ts';
import { topicDecoders } from '../../src/core/decode/topic-decoders.ts';
import { PoisonError } from '../../src/core/model/errors.ts';
import { Pipeline } from '../../src/core/pipeline/pipeline.ts';
import { RecordReading } from '../../src/core/pipeline/read-record.ts';
import { encodeDeadLetter } from '../../src/core/record/dead-letter.ts';
import { readLetter } from '../../src/core/record/stored-letter.ts';
import { taskRecords } from '../../src/core/record/task-record.ts';
import { compileSelector } from '../../src/core/relabel/selector/selector.ts';
import { halveWriteRequest } from '../../src/core/wire/halve.ts';
import { samplesIn } from '../../src/core/wire/series-walk.ts';
import { uncompress } from '../../src/core/wire/snappy.ts';
import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import { contentsOf } from '../../src/services/dead/contents.ts';
import { SourceTracker } from '../../src/services/drain/source-tracker.ts';
import { Selection } from '../../src/services/replay/plan/selection.ts';
import { INGEST_ENCODINGS } from '../../src/services/worker/encoding-options.ts';
import { PASS_ROUTE } from '../support/pass-route.ts';
import { letterOf } from '../support/records.ts';
import { confluentSource } from './confluent-target.ts';

/** What came of a record: for the counts that show that a run looked at both halves of a reader. */
export type Outcome = 'taken' | 'part' | 'refused';

/** Everything that reads records of other people. It may throw nothing, whatever a record holds. */
export interface Reader {
  readonly name: string;
  read(record: FetchedRecord): Outcome;
}

const TENANT_HEADERS = ['X-Scope-OrgID', 'AccountID', 'ProjectID'];
const DEAD = { topic: 'dead', partitions: 1, maxMessageBytes: 1024 * 1024 };
const NOW = 1_700_000_500_000;
const DRAINED_BYTES = 256 * 1024 * 1024;

function outcome(series: number, rejects: number): Outcome {
  if (rejects === 0) return 'taken';
  return series > 0 ? 'part' : 'refused';
}

function decodersOf(encoding: string): DecoderRegistry {
  return topicDecoders([{ topic: 'raw', encoding, schemas: confluentSource, mapping: METRIC_BATCH }])('raw');
}

/** A worker's step of one record, to the records that it would publish. */
function worker(encoding: string): Reader {
  const decoders = decodersOf(encoding);
  const pipeline = new Pipeline({
    routes: [PASS_ROUTE],
    cacheBytes: 4 * 1024 * 1024,
    maxRecordBytes: () => 1_000_000,
    tenantHeaders: TENANT_HEADERS,
    decoders: () => decoders,
    now: () => NOW,
  });
  return {
    name: `worker ${encoding}`,
    read: (record) => {
      const step = pipeline.begin('raw');
      decoders.schemaId(record.value ?? Buffer.alloc(0), { headers: record.headers, limits: DEFAULT_LIMITS });
      step.process(record);
      const { records, dead, counts } = step.finish();
      taskRecords(records, 'raw/0/0-0', NOW);
      for (const letter of dead) {
        // In a worker that is survived; here it is what is looked for.
        if (letter.reason === 'defect') throw new Error(letter.message);
        encodeDeadLetter(letter, DEAD, NOW);
      }
      return outcome(counts.series, dead.length);
    },
  };
}

function decode(): Reader {
  const reading = new RecordReading(decodersOf('auto'), { ...DEFAULT_LIMITS, max_age: 3_600_000 }, NOW);
  return {
    name: 'decode',
    read: (record) => {
      let series = 0;
      const output = new JsonOutput((text) => void (series += text.length));
      reading.read(record, output);
      output.end();
      return outcome(series, output.rejects);
    },
  };
}

function replay(): Reader {
  const match = [compileSelector('{__name__!="b"}')];
  const selection = new Selection(
    {
      match,
      sample: 2,
      fromMs: NOW - 3_600_000,
      toMs: NOW,
      limits: DEFAULT_LIMITS,
      tenantHeaders: TENANT_HEADERS,
      nowMs: () => NOW,
    },
    decodersOf('auto'),
  );
  return {
    name: 'replay',
    read: (record) => {
      const { series, refused } = selection.select(record);
      return outcome(series, refused.size);
    },
  };
}

/** As `penstock dead show` reads a letter whose value and headers are the record's. */
function dead(): Reader {
  const decoders = decodersOf('auto');
  return {
    name: 'dead',
    read: (record) => {
      const { series, rejects, fault } = contentsOf(readLetter(record) ?? letterOf(record), decoders, 20);
      return outcome(fault === undefined ? series.length : 0, rejects.length + (fault === undefined ? 0 : 1));
    },
  };
}

/** What a drain reads of a task record: where it comes from, how many samples it has, and its halves. */
function drain(): Reader {
  return {
    name: 'drain',
    read: (record) => {
      new SourceTracker().next(record.headers);
      const { value } = record;
      if (value === null) return 'refused';
      try {
        const samples = samplesIn(value);
        halveWriteRequest(uncompress(value, DRAINED_BYTES));
        return samples === undefined ? 'refused' : 'taken';
      } catch (error) {
        if (error instanceof PoisonError) return 'refused';
        throw error;
      }
    },
  };
}

/** A set of its own for each process: readers keep buffers between records. */
export function createReaders(): Reader[] {
  const workers = INGEST_ENCODINGS.map(worker);
  const [auto, ...named] = workers;
  // Most of the records go through a worker that looks at the bytes, as most do.
  return [
    ...named.flatMap((each) => [auto!, auto!, auto!, each]),
    ...[decode(), replay(), dead(), drain()].flatMap((each) => [each, each]),
  ];
}
