import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { runRemoteWriteV1Case } from '../../../../conformance/remote-write.ts';

const VECTORS = new URL('../../../../../../shared/conformance/ingest-remote-write-v1.json', import.meta.url);

interface Vectors {
  readonly cases: readonly { readonly id: string; readonly expected: object }[];
}

const skip = existsSync(VECTORS) ? false : 'the vectors are not here';

test('every recorded request decodes as the engines decoded it', { skip }, () => {
  const { cases } = JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors;
  const differences = cases.map((each) => [each.id, runRemoteWriteV1Case(each)]).filter(([, found]) => found);
  assert.deepEqual(differences, []);
  assert.ok(cases.length > 50);
});

test('the runner sees a difference', { skip }, () => {
  const { cases } = JSON.parse(readFileSync(VECTORS, 'utf8')) as Vectors;
  const good = cases.find(({ expected }) => 'series' in expected)!;
  const bad = cases.find(({ expected }) => 'error' in expected)!;
  assert.match(runRemoteWriteV1Case({ ...good, expected: { series: [] } })!, /^decoded /);
  assert.match(runRemoteWriteV1Case({ ...good, expected: bad.expected })!, /^accepted/);
  assert.match(runRemoteWriteV1Case({ ...bad, expected: good.expected })!, /^refused/);
});
