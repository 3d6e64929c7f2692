import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatStatus } from '../../../../src/app/commands/text/status-text.ts';

test('offsets of the dead-letter topic are told as the most letters that there can be', () => {
  const status = { ingest: [], nodes: [], leftovers: [], problems: [] };
  const text = (records: number | null) =>
    formatStatus({ ...status, dead_letters: { topic: 'metrics.dead', records } }, []);
  assert.match(text(7), /^dead letters in metrics\.dead: up to 7 kept$/m);
  assert.match(text(null), /^dead letters in metrics\.dead: the topic does not exist$/m);
});
