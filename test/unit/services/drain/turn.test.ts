import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatTurn, parseHandover, parseTurn } from '../../../../src/services/drain/turn.ts';

test('notes of turns are read as they are written; what others wrote says least', () => {
  for (const state of ['working', 'handed over', 'taking', 'withdrawn'] as const) {
    assert.deepEqual(parseTurn(formatTurn({ turn: 12, state })), { turn: 12, state });
  }
  assert.deepEqual(parseTurn(''), { turn: 0, state: 'working' });
  assert.deepEqual(parseTurn('handed over'), { turn: 0, state: 'handed over' });
  assert.deepEqual(parseTurn('turn x'), { turn: 0, state: 'working' });
  assert.deepEqual(parseTurn('turn 7 sleeping'), { turn: 7, state: 'working' });
});

test('the first record may have been sent unless it was handed over, or nobody has begun', () => {
  const handovers = {
    'turn 3 handed over': 'clean',
    'handed over': 'clean', // of a version without turns
    'turn 3': 'unclean',
    '': 'unclean', // of a version without notes
    'of another program': 'unclean',
  };
  for (const [note, handover] of Object.entries(handovers)) assert.equal(parseHandover(note), handover, note);
  assert.equal(parseHandover(undefined), 'none');
});
