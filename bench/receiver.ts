/**
 * A remote-write receiver in a process of its own: real HTTP, 204 to everything, and the age of samples when their
 * request has arrived. Talks to its parent over IPC: `reset` ▸ nothing, `report` ▸ the latencies.
 */
import { createServer } from 'node:http';
import { ProtobufReader } from '../src/core/wire/protobuf-reader.ts';
import { uncompress } from '../src/core/wire/snappy.ts';
import { SAMPLE, TIME_SERIES, WRITE_REQUEST } from '../src/core/wire/write-request.ts';

/** Every body has samples from all of a step, so a part of them is enough, and costs less CPU time. */
const BODIES_A_LOOK = 4;
const SERIES_A_LOOK = 8;
const LONGEST_MS = 120_000;

/** Samples by age in ms. */
let ages = new Uint32Array(LONGEST_MS + 1);
let bodies = 0;

const server = createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', (chunk: Buffer) => chunks.push(chunk));
  request.on('end', () => {
    const now = Date.now();
    response.writeHead(204).end();
    bodies += 1;
    // Current vmagents send zstd; only Penstock's requests are read.
    const isSnappy = request.headers['content-encoding'] === 'snappy';
    if (isSnappy && bodies % BODIES_A_LOOK === 0) look(Buffer.concat(chunks), now);
  });
});

function look(body: Buffer, now: number): void {
  const plain = uncompress(body, 2 ** 30);
  const request = new ProtobufReader(plain);
  for (let at = 0; request.next(); at += 1) {
    if (request.field === WRITE_REQUEST.timeseries && at % SERIES_A_LOOK === 0)
      countSamples(request.message(), now);
    else request.skip();
  }
}

function countSamples(series: ProtobufReader, now: number): void {
  while (series.next()) {
    if (series.field !== TIME_SERIES.samples) {
      series.skip();
      continue;
    }
    const sample = series.message();
    while (sample.next()) {
      if (sample.field === SAMPLE.timestamp) count(now - Number(sample.int64()));
      else sample.skip();
    }
  }
}

function count(age: number): void {
  const at = Math.min(LONGEST_MS, Math.max(0, age));
  ages[at] = ages[at]! + 1;
}

/** The age that the given part of the samples does not exceed. */
function quantile(part: number): number {
  const total = ages.reduce((sum, each) => sum + each, 0);
  let seen = 0;
  for (const [age, each] of ages.entries()) {
    seen += each;
    if (seen >= total * part && seen > 0) return age;
  }
  return Number.NaN;
}

process.on('message', (message) => {
  if (message === 'reset') ages = new Uint32Array(LONGEST_MS + 1);
  else process.send?.({ p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) });
});
process.on('disconnect', () => process.exit());
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  process.send?.(`http://127.0.0.1:${typeof address === 'object' ? address?.port : ''}/api/v1/write`);
});
