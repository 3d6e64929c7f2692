import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseConfig } from '../../../src/app/config/load.ts';
import type { ExportedSeries } from '../../lab/servers/victoriametrics.ts';
import { compareStored, placement, type TrueSeries, type Verdict } from '../../lab/truth/stored-samples.ts';

const CONFIG = `
routes:
  - name: http
    match: ['{__name__=~"http_.*"}']
    relabel: [{ action: labeldrop, regex: container }]
    task: { labels: [service], count: 12 }
nodes:
  - { name: vmagent-0, url: http://localhost:1 }
  - { name: vmagent-1, url: http://localhost:2 }
  - { name: vmagent-2, url: http://localhost:3 }
`;
const place = placement(parseConfig(CONFIG, 'penstock.yml', {}, () => ''));

const truth: TrueSeries[] = ['cart', 'search', 'payments', 'fraud'].flatMap((service) =>
  ['a', 'b'].map((pod) => ({
    metric: { __name__: 'http_requests_total', service, pod, container: 'main' },
    values: [1, 2, null],
    timestamps: [1_000, 2_000, 3_000],
  })),
);

/** Storage as it should be. */
function rightlyStored(): ExportedSeries[] {
  return truth.map(({ metric, values, timestamps }) => {
    const [{ labels, node } = { labels: {}, node: '' }] = place(metric);
    return { metric: { ...labels, vmagent: node }, values: [...values], timestamps: [...timestamps] };
  });
}

/** The verdict on storage after `change` to its first series. */
function verdictAfter(change: (first: ExportedSeries, all: ExportedSeries[]) => void): Verdict {
  const stored = rightlyStored();
  change(stored[0]!, stored);
  const verdict = compareStored(truth, place, stored);
  assert.equal(verdict.ok, false);
  return verdict;
}

function anotherNode(node: string | undefined): string {
  return node === 'vmagent-0' ? 'vmagent-1' : 'vmagent-0';
}

describe('compareStored', () => {
  test('passes what is stored as it was written', () => {
    const verdict = compareStored(truth, place, rightlyStored());
    assert.deepEqual(verdict.problems, []);
    assert.equal(verdict.ok, true);
    assert.equal(verdict.samplesEqual, 24);
    assert.equal(verdict.seriesStored, 8);
    assert.equal(verdict.groups, 4);
    assert.equal(
      [...verdict.groupsByNode.values()].reduce((sum, groups) => sum + groups, 0),
      4,
    );
  });

  test('passes a series that came in several blocks', () => {
    const blocks = rightlyStored().flatMap(({ metric, values, timestamps }) =>
      timestamps.map((time, at) => ({ metric, values: [values[at]!], timestamps: [time] })),
    );
    const verdict = compareStored(truth, place, blocks);
    assert.equal(verdict.ok, true);
    assert.equal(verdict.seriesStored, 8);
  });

  test('finds a missing sample', () => {
    const verdict = verdictAfter((first) => {
      first.values.pop();
      first.timestamps.pop();
    });
    assert.equal(verdict.samplesMissing, 1);
  });

  test('finds a missing series', () => {
    assert.equal(verdictAfter((_, all) => void all.shift()).samplesMissing, 3);
  });

  test('finds a sample that is stored twice', () => {
    const verdict = verdictAfter((first) => {
      first.values.push(first.values[0]!);
      first.timestamps.push(first.timestamps[0]!);
    });
    assert.equal(verdict.samplesExtra, 1);
    assert.match(verdict.problems.join(), /more than once/);
  });

  test('finds another value, and a stale marker that became a number', () => {
    assert.equal(verdictAfter((first) => void (first.values[1] = 7)).samplesWrong, 1);
    assert.equal(verdictAfter((first) => void (first.values[2] = 2)).samplesWrong, 1);
  });

  test('finds a series that was never written', () => {
    const verdict = verdictAfter((first) => void (first.metric['pod'] = 'c'));
    assert.equal(verdict.samplesExtra, 3);
    assert.equal(verdict.samplesMissing, 3);
  });

  test('finds a group on two vmagents', () => {
    const verdict = verdictAfter(
      (first) => void (first.metric['vmagent'] = anotherNode(first.metric['vmagent'])),
    );
    assert.equal(verdict.groupsOnSeveralNodes.length, 1);
  });

  test('finds a group on another vmagent than hash 2 names', () => {
    const verdict = verdictAfter((first, all) => {
      const other = anotherNode(first.metric['vmagent']);
      for (const { metric } of all)
        if (metric['service'] === first.metric['service']) metric['vmagent'] = other;
    });
    assert.equal(verdict.groupsOnWrongNode.length, 1);
    assert.equal(verdict.groupsOnSeveralNodes.length, 0);
  });
});
