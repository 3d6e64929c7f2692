import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TaskRecord } from '../../../../src/core/model/records.ts';
import { formatSource, taskRecords } from '../../../../src/core/record/task-record.ts';

test('a task record names its format, its content and its source, and carries the tenant headers', () => {
  const source = formatSource({ topic: 'metrics.raw', partition: 3, first: 10n, last: 19n });
  assert.equal(source, 'metrics.raw/3/10-19');
  const record = {
    topic: 'metrics.tasks.http',
    partition: 5,
    value: Buffer.from('body'),
    timestamp: 1234,
    series: 7,
    samples: 9,
    tenant: { headers: { 'X-Scope-OrgID': 'shop' } },
  } as unknown as TaskRecord;
  assert.deepEqual(taskRecords([record], source, 5678)[0], {
    topic: 'metrics.tasks.http',
    partition: 5,
    key: null,
    value: Buffer.from('body'),
    timestamp: 5678,
    headers: {
      'content-type': 'application/x-protobuf',
      'content-encoding': 'snappy',
      'penstock-version': '1',
      'penstock-source': 'metrics.raw/3/10-19',
      'penstock-timestamp': '1234',
      'penstock-series': '7',
      'penstock-samples': '9',
      'X-Scope-OrgID': 'shop',
    },
  });
});

test('only the records of a step that share a task say which part they are', () => {
  const record = (partition: number) =>
    ({ topic: 'tasks', partition, value: Buffer.alloc(1), tenant: { headers: {} } }) as unknown as TaskRecord;
  const parts = taskRecords([record(1), record(2), record(1)], 'raw/0/1-2', 0).map(
    ({ partition, headers }) => [partition, headers['penstock-part']],
  );
  assert.deepEqual(parts, [
    [1, '1/2'],
    [1, '2/2'],
    [2, undefined],
  ]);
});
