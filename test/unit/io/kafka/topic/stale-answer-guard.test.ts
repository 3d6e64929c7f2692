import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { RetryableError } from '../../../../../src/core/model/errors.ts';
import { StaleAnswerGuard } from '../../../../../src/io/kafka/topic/stale-answer-guard.ts';

describe('StaleAnswerGuard', () => {
  let now = 0;
  const met = (answers: StaleAnswerGuard, atMs: number, subject = 'a') => {
    now = atMs;
    answers.met(subject, 'it is so');
  };

  test('are believed when they have lasted', () => {
    const answers = new StaleAnswerGuard(30_000, () => now);
    for (const atMs of [0, 10_000, 29_999]) assert.throws(() => met(answers, atMs), RetryableError);
    met(answers, 30_000);
    met(answers, 40_000);
  });

  test('say how long they are still doubted', () => {
    const answers = new StaleAnswerGuard(30_000, () => now);
    assert.throws(() => met(answers, 0), /^RetryableError: it is so; .* for 30 s more$/);
    assert.throws(() => met(answers, 12_000), /for 18 s more$/);
  });

  test('begin anew after another answer, and after a minute in which nobody asked', () => {
    const answers = new StaleAnswerGuard(30_000, () => now);
    assert.throws(() => met(answers, 0), RetryableError);
    answers.refuted('a');
    assert.throws(() => met(answers, 30_000), RetryableError);
    assert.throws(() => met(answers, 90_001), RetryableError);
    assert.throws(() => met(answers, 120_000), RetryableError);
    met(answers, 120_001);
  });

  test('are told apart by their subject', () => {
    const answers = new StaleAnswerGuard(30_000, () => now);
    assert.throws(() => met(answers, 0, 'a'), RetryableError);
    assert.throws(() => met(answers, 30_000, 'b'), RetryableError);
    met(answers, 30_000, 'a');
  });
});
