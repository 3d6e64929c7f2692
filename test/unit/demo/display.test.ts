import assert from 'node:assert/strict';
import { test } from 'node:test';
import { stripVTControlCharacters } from 'node:util';
import { count, fit, formatSnapshot, minutes, type Snapshot } from '../../demo/display.ts';

const SNAPSHOT: Snapshot = {
  elapsedSeconds: 21.4,
  totalSeconds: 60,
  generator: { state: 'running', series: 3016, pods: 68, samplesPerSecond: 3015.6 },
  workers: [
    {
      name: 'worker-0',
      state: 'running',
      assigned: 3,
      partitions: [0, 1, 4],
      samplesPerSecond: 1502.2,
      lag: 12,
    },
    { name: 'worker-1', state: 'stopped', assigned: 1, partitions: [2], samplesPerSecond: 99, lag: 5 },
    { name: 'worker-2', state: 'waiting', assigned: 0, partitions: [], samplesPerSecond: 0, lag: undefined },
  ],
  nodes: [
    {
      name: 'vmagent-0',
      state: 'running',
      tasks: { http: 4, services: 2 },
      samplesPerSecond: 1200,
      lag: undefined,
      latency: 0.456,
    },
  ],
  totals: { written: 64_539, published: 64_000, delivered: 63_900 },
  events: Array.from({ length: 6 }, (_, at) => ({ atSeconds: at, text: `event ${at}` })),
  next: 'worker-1 is stopped in 19 s',
};

const plain = formatSnapshot(SNAPSHOT, { color: false });

test('a snapshot becomes aligned tables', () => {
  assert.deepEqual(plain, [
    'Penstock demo   0:21 of 1:00   ━━━━━━━━━━━───────────────────',
    '',
    'GENERATOR               PODS                   SAMPLES/S     SERIES',
    'generate     running    68 so far                  3,016      3,016',
    '',
    'WORKER                  PARTITIONS             SAMPLES/S        LAG',
    'worker-0     running    0 1 4                      1,502         12',
    'worker-1     stopped',
    'worker-2     later',
    '',
    'VMAGENT                 TASKS                  SAMPLES/S        LAG    LATENCY',
    'vmagent-0    running    4 http, 2 services         1,200          …     0.46 s',
    '',
    'Samples   64,539 written ▸ 64,000 in task topics ▸ 63,900 at vmagents',
    '',
    '0:02  event 2',
    '0:03  event 3',
    '0:04  event 4',
    '0:05  event 5',
    'Next   worker-1 is stopped in 19 s',
  ]);
});

test('until a worker tells which partitions it has, it shows how many', () => {
  const show = (assigned: number, partitions: number[]) =>
    formatSnapshot(
      { ...SNAPSHOT, workers: [{ ...SNAPSHOT.workers[0]!, assigned, partitions }] },
      { color: false },
    )[6];
  assert.match(show(0, [])!, /running {4}none yet /);
  assert.match(show(2, [])!, /running {4}2 of them /);
  assert.match(show(2, [1, 5])!, /running {4}1 5 /);
});

test('colors change how it looks, not where it stands', () => {
  const colored = formatSnapshot(SNAPSHOT, { color: true });
  assert.notDeepEqual(colored, plain);
  assert.deepEqual(colored.map(stripVTControlCharacters), plain);
});

test('a line is cut to the width of the terminal, by what is seen', () => {
  assert.equal(fit('\x1b[1mabc\x1b[22m', 3), '\x1b[1mabc\x1b[22m');
  assert.equal(fit('\x1b[1mabcd\x1b[22m', 3), 'ab…');
});

test('numbers and times read as people write them', () => {
  assert.equal(count(1_234_567.6), '1,234,568');
  assert.equal(minutes(65.9), '1:05');
  assert.equal(minutes(-1), '0:00');
});
