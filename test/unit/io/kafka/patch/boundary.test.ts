import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { DefectError, RetryableError } from '../../../../../src/core/model/errors.ts';
import { isDefect } from '../../../../../src/io/kafka/errors.ts';
import { ofClient, ofPenstock } from '../../../../../src/io/kafka/patch/boundary.ts';

const MISTAKES = [new TypeError('no metadata'), new RangeError('too far'), new ReferenceError('no such')];

/** What a call throws, at once or later. */
async function thrown(call: () => unknown): Promise<Error & { retriable?: boolean }> {
  try {
    await call();
  } catch (error) {
    return error as Error;
  }
  throw new Error('nothing was thrown');
}

/** An object that fails in both ways, by a private field as classes of Penstock have. */
class Failing {
  readonly #error: Error;
  readonly name = 'failing';
  constructor(error: Error) {
    this.#error = error;
  }
  now(): never {
    throw this.#error;
  }
  async later(): Promise<never> {
    throw this.#error;
  }
}

describe('the boundary between kafkajs and Penstock', () => {
  test('a mistake of kafkajs is no defect, at once or later, and keeps its text and stack', async () => {
    for (const mistake of MISTAKES) {
      const client = ofClient(new Failing(mistake));
      for (const error of [await thrown(() => client.now()), await thrown(() => client.later())]) {
        assert.equal(isDefect(error), false);
        assert.equal(error.message, mistake.message);
        assert.equal(error.cause, mistake);
      }
    }
  });

  test('a mistake in a callback is a defect, also after it has come through kafkajs, which gives up at once', async () => {
    for (const mistake of MISTAKES) {
      const callbacks = ofPenstock(new Failing(mistake));
      const listener = ofPenstock(() => callbacks.now());
      const kafkajs = ofClient({ run: () => listener(), runLater: async () => await callbacks.later() });
      for (const error of [await thrown(() => kafkajs.run()), await thrown(() => kafkajs.runLater())]) {
        assert.equal(error.retriable, false);
        assert.equal(error.cause, mistake);
        assert.ok(error instanceof DefectError);
      }
    }
  });

  test('any other error passes as it is, and so do results and fields', async () => {
    const error = new RetryableError('waits');
    for (const wrap of [ofClient, ofPenstock]) {
      assert.equal(await thrown(() => wrap(new Failing(error)).later()), error);
      assert.equal(wrap(new Failing(error)).name, 'failing');
      assert.equal(wrap({ sum: (a: number, b: number) => a + b }).sum(1, 2), 3);
    }
  });
});
