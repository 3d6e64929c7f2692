import assert from 'node:assert/strict';
import { createServer, type Server } from 'node:http';
import { after, before, beforeEach, test } from 'node:test';
import { DEFAULT_LIMITS } from '../../../../../src/core/decode/decoder.ts';
import { DecoderRegistry } from '../../../../../src/core/decode/registry.ts';
import { ConfigError } from '../../../../../src/core/model/errors.ts';
import { Pipeline } from '../../../../../src/core/pipeline/pipeline.ts';
import { compileSelector } from '../../../../../src/core/relabel/selector/selector.ts';
import { uncompress } from '../../../../../src/core/wire/snappy.ts';
import { DeliveryStoppedError } from '../../../../../src/io/remote-write/deliver.ts';
import type { JournalStep } from '../../../../../src/services/replay/journal.ts';
import { Selection, type SelectionOptions } from '../../../../../src/services/replay/plan/selection.ts';
import {
  type BodySource,
  rawBodies,
  routedBodies,
} from '../../../../../src/services/replay/target/remote-write-bodies.ts';
import {
  StorageTarget,
  type StorageTargetOptions,
} from '../../../../../src/services/replay/target/storage-target.ts';
import { decodeWriteRequest } from '../../../../lab/truth/prompb.ts';
import { type Made, NOW, recordOf, remoteWrite } from '../records.ts';

interface Received {
  readonly body: Buffer;
  readonly headers: Record<string, unknown>;
  readonly samples: string[];
}

/** A receiver that answers as a test says. */
let answer: (received: Received, attempt: number) => number | Promise<number>;
let received: Received[];
let attempts: number;
let server: Server;
let url: string;
let committed: JournalStep[];

before(async () => {
  server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', async () => {
      const body = Buffer.concat(chunks);
      const samples = samplesOf(body);
      if (samples === undefined) {
        response.writeHead(400).end('no snappy');
        return;
      }
      const one = { body, headers: request.headers, samples };
      const code = await answer(one, ++attempts);
      if (code < 300) received.push(one);
      response.writeHead(code).end(code < 300 ? '' : `no: ${code}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  url = `http://127.0.0.1:${typeof address === 'object' && address !== null ? address.port : 0}/api/v1/write`;
});

after(() => {
  server.closeAllConnections();
  server.close();
});

beforeEach(() => {
  answer = () => 204;
  received = [];
  attempts = 0;
  committed = [];
});

/** `pod@time`, times from NOW; undefined where the body is damaged. */
function samplesOf(body: Buffer): string[] | undefined {
  try {
    return decodeWriteRequest(uncompress(body, 1e8)).series.flatMap(({ labels, samples }) =>
      samples.map(({ timestamp }) => `${Object.fromEntries(labels)['pod']}@${Number(timestamp) - NOW}`),
    );
  } catch {
    return undefined;
  }
}

function selectionOf(options: Partial<SelectionOptions> = {}): Selection {
  return new Selection(
    { limits: DEFAULT_LIMITS, tenantHeaders: [], nowMs: () => NOW, ...options },
    new DecoderRegistry(),
  );
}

function targetOf(
  bodies: BodySource = rawBodies(selectionOf(), ['X-Scope-OrgID']),
  options: Partial<StorageTargetOptions> = {},
): StorageTarget {
  const journal = {
    store: async (step: JournalStep) => {
      committed.push(step);
    },
  };
  const all = {
    url,
    concurrency: 4,
    timeoutMs: 60_000,
    backoffMinMs: 1,
    backoffMaxMs: 5,
    userAgent: 'test',
    signal: new AbortController().signal,
    stop: new AbortController().signal,
    notes: SILENT,
    ...options,
  };
  return new StorageTarget(all, bodies, journal);
}

const SILENT = { retried: () => undefined, taken: () => undefined, refused: () => undefined };

function up(pod: string, ...times: number[]): Made {
  return { labels: { __name__: 'up', pod }, samples: times.map((time) => [NOW + time, time]) };
}

test('remote write goes out byte for byte, with its tenant; positions are stored after the last answer', async () => {
  const record = remoteWrite([up('a', 1, 2)]);
  const tenant = { ...record, headers: { ...record.headers, 'x-scope-orgid': Buffer.from('7') } };
  answer = () => {
    assert.equal(committed.length, 0);
    return 204;
  };
  const target = targetOf();
  const counts = await target.write({
    chunks: [{ partition: 2, records: [record, tenant] }],
    positions: new Map([[2, 9n]]),
  });
  await target.close();
  assert.deepEqual(
    received.map(({ body }) => body),
    [record.value, record.value],
  );
  assert.deepEqual(
    received.map(({ headers }) => headers['x-scope-orgid']),
    [undefined, '7'],
  );
  assert.deepEqual([counts.records, counts.samples, counts.leftOut, counts.refused.size], [2, 4, 0, 0]);
  assert.deepEqual(committed, [{ positions: new Map([[2, 9n]]), counts }]);
});

test('a task record is counted by its header and not taken apart', async () => {
  const headers = { 'penstock-version': '1', 'content-encoding': 'snappy', 'penstock-samples': '17' };
  const record = remoteWrite([up('a', 1)], { headers });
  const target = targetOf();
  const counts = await target.write({ chunks: [{ partition: 0, records: [record] }], positions: new Map() });
  await target.close();
  assert.equal(counts.samples, 17);
  assert.deepEqual(received[0]?.body, record.value);
});

test('what is cut, uncompressed, or in another encoding is made remote write; the rest is counted', async () => {
  const line = `up{pod="t"} 1 ${NOW + 4}\nup{pod="u"} 1 ${NOW + 4}\n`;
  const records = [
    remoteWrite([up('a', 1), up('b', 2)]),
    recordOf(Buffer.from(line), { headers: { 'content-type': 'text/plain; version=0.0.4' } }),
    recordOf(null),
    remoteWrite([up('z', 3)]),
  ];
  const target = targetOf(rawBodies(selectionOf({ match: [compileSelector('{pod=~"[bt]"}')] }), []));
  const counts = await target.write({ chunks: [{ partition: 0, records }], positions: new Map() });
  await target.close();
  assert.deepEqual(
    received.flatMap(({ samples }) => samples),
    ['b@2', 't@4'],
  );
  assert.deepEqual([counts.records, counts.samples, counts.leftOut], [4, 2, 3]);
  assert.deepEqual([...counts.refused], [['null_value', 1]]);
});

test('through a route: relabeled, with the task label', async () => {
  const route = {
    name: 'pods',
    index: 0,
    topic: 'tasks',
    selectors: [compileSelector('{pod!="b"}')],
    relabeler: {
      apply: (labels: readonly { name: string; value: string }[]) =>
        labels.some(({ value }) => value === 'c')
          ? undefined
          : labels.map((label) => (label.name === 'pod' ? { name: 'pod', value: `${label.value}!` } : label)),
    },
    hasRules: true,
    task: () => 3,
    taskLabel: 'stream_task_id',
    count: 4,
  };
  const pipeline = new Pipeline({ routes: [route], cacheBytes: 1 << 20, maxRecordBytes: () => 1_000_000 });
  const target = targetOf(routedBodies(pipeline, selectionOf()));
  const records = [remoteWrite([up('a', 1), up('b', 2), up('c', 3)]), recordOf(Buffer.alloc(0))];
  const counts = await target.write({ chunks: [{ partition: 0, records }], positions: new Map() });
  await target.close();
  const [series] = decodeWriteRequest(uncompress(received[0]!.body, 1e6)).series;
  assert.deepEqual(series?.labels, [
    ['__name__', 'up'],
    ['pod', 'a!'],
    ['stream_task_id', '3'],
  ]);
  assert.deepEqual([counts.records, counts.samples, counts.leftOut], [2, 1, 2]);
  assert.deepEqual([...counts.refused], [['empty_record', 1]]);
});

test('partitions go side by side up to the concurrency; within one, a record waits for the one before', async () => {
  const tenant = (partition: number, time: number) => ({
    partition,
    headers: { 'X-Scope-OrgID': String(time), 'content-encoding': 'snappy' },
  });
  let inFlight = 0;
  let most = 0;
  const busy = new Set<string>();
  answer = async ({ samples }) => {
    const partition = samples[0]!.split('@')[0]!;
    assert.ok(!busy.has(partition), `two requests of ${partition} at once`);
    busy.add(partition);
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setTimeout(resolve, 10));
    inFlight--;
    busy.delete(partition);
    return 204;
  };
  const chunks = ['p0', 'p1', 'p2', 'p3', 'p4'].map((name, partition) => ({
    partition,
    records: [1, 2, 3].map((time) => remoteWrite([up(name, time)], tenant(partition, time))),
  }));
  const target = targetOf(undefined, { concurrency: 3 });
  await target.write({ chunks, positions: new Map() });
  await target.close();
  assert.equal(most, 3);
  for (const { partition } of chunks) {
    const name = `p${partition}`;
    const times = received.flatMap(({ samples }) => samples.filter((text) => text.startsWith(name)));
    assert.deepEqual(times, [`${name}@1`, `${name}@2`, `${name}@3`]);
  }
});

test('trouble is waited out, a series that storage refuses is counted, and the others arrive', async () => {
  answer = ({ samples }, attempt) => {
    if (attempt <= 2) return 503;
    return samples.some((text) => text.startsWith('bad')) ? 400 : 204;
  };
  const retries: string[] = [];
  const refusals: string[] = [];
  const target = targetOf(undefined, {
    notes: {
      ...SILENT,
      retried: (error) => retries.push((error as Error).message),
      refused: ({ message }) => refusals.push(message),
    },
  });
  const records = [remoteWrite([up('a', 1), up('bad', 1, 2), up('c', 1), up('bad-too', 1)])];
  const counts = await target.write({ chunks: [{ partition: 0, records }], positions: new Map([[0, 1n]]) });
  await target.close();
  assert.deepEqual(received.flatMap(({ samples }) => samples).sort(), ['a@1', 'c@1']);
  assert.equal(retries.length, 2);
  assert.equal(counts.samples, 2);
  assert.deepEqual([...counts.refused], [['http_400', 2]]);
  assert.deepEqual(refusals, [`${url} answered 400: no: 400`]);
  assert.equal(committed.length, 1);
});

test('small records of one tenant share a request; large ones do not', async () => {
  const small = Array.from({ length: 50 }, (_, at) => remoteWrite([up(`pod-${at}`, at)]));
  const large = remoteWrite(Array.from({ length: 30_000 }, (_, at) => up(`${Math.sin(at)}`, at)));
  const target = targetOf();
  const counts = await target.write({
    chunks: [{ partition: 0, records: [...small, large, large, ...small] }],
    positions: new Map(),
  });
  await target.close();
  assert.deepEqual(
    received.map(({ samples }) => samples.length),
    [50, 30_000, 30_000, 50],
  );
  const one = small.map((_, at) => `pod-${at}@${at}`);
  assert.deepEqual([received[0]?.samples, received[3]?.samples], [one, one]);
  assert.equal(counts.samples, 60_100);
});

test('a damaged task record takes none of its neighbours with it', async () => {
  const headers = { 'penstock-version': '1', 'content-encoding': 'snappy', 'penstock-samples': '1' };
  const records = ['a', 'b', 'c'].map((pod) => remoteWrite([up(pod, 1)], { headers }));
  const broken = Buffer.from(records[1]!.value!);
  broken.fill(0xff, 3);
  const target = targetOf();
  const counts = await target.write({
    chunks: [{ partition: 0, records: [records[0]!, { ...records[1]!, value: broken }, records[2]!] }],
    positions: new Map(),
  });
  await target.close();
  assert.deepEqual(
    received.flatMap(({ samples }) => samples),
    ['a@1', 'c@1'],
  );
  assert.deepEqual([counts.samples, ...counts.refused], [2, ['http_400', 1]]);
});

test('a wrong address is told at once; when storage has answered before, it is waited for', async () => {
  answer = () => 404;
  const first = targetOf();
  const step = { chunks: [{ partition: 0, records: [remoteWrite([up('a', 1)])] }], positions: new Map() };
  await assert.rejects(first.write(step), (error: Error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /answered 404.*expected the URL of a remote-write endpoint/);
    return true;
  });
  await first.close();
  assert.equal(committed.length, 0);
  // VictoriaMetrics says 400 to paths that it does not know.
  answer = () => 400;
  const other = targetOf();
  await assert.rejects(other.write(step), /answered 400.*expected the URL/);
  await other.close();
  attempts = 0;
  answer = (_, attempt) => (attempt === 2 ? 404 : 204);
  const second = targetOf();
  await second.write(step);
  await second.write(step);
  await second.close();
  assert.equal(received.length, 2);
});

test('a stop ends the waiting, and nothing is stored', async () => {
  answer = () => 503;
  const stop = new AbortController();
  const target = targetOf(undefined, {
    signal: stop.signal,
    notes: { ...SILENT, retried: () => stop.abort() },
  });
  const chunks = [0, 1].map((partition) => ({ partition, records: [remoteWrite([up('a', 1)])] }));
  await assert.rejects(target.write({ chunks, positions: new Map([[0, 1n]]) }), DeliveryStoppedError);
  await target.close();
  assert.deepEqual(committed, []);
});

test('told to stop, it finishes the step that storage takes, and gives up one that it does not', async () => {
  const step = {
    chunks: [{ partition: 0, records: [remoteWrite([up('a', 1)]), remoteWrite([up('b', 1)])] }],
    positions: new Map([[0, 2n]]),
  };
  const stop = new AbortController();
  answer = () => {
    stop.abort();
    return 204;
  };
  const fine = targetOf(undefined, { stop: stop.signal });
  await fine.write(step);
  assert.equal(committed.length, 1);
  await fine.close();

  answer = () => 503;
  const away = targetOf(undefined, { stop: stop.signal });
  await assert.rejects(away.write(step), DeliveryStoppedError);
  assert.equal(committed.length, 1);
  await away.close();

  let end = () => {};
  answer = () => new Promise((resolve) => (end = () => resolve(204)));
  const hung = targetOf(undefined, { stop: stop.signal });
  await assert.rejects(hung.write(step), DeliveryStoppedError);
  end();
  assert.equal(committed.length, 1);
  await hung.close();
});
