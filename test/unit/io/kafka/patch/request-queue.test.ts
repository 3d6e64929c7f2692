import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { patchRequestQueue } from '../../../../../src/io/kafka/patch/request-queue.ts';

const require = createRequire(import.meta.url);
const HOUR_MS = 3_600_000;
const TIMEOUT_MS = 2_000;
const THROTTLE_MS = 150;
/** Unanswered requests are looked at every 100 ms. */
const LOOKED_AT_MS = 250;

interface Queue {
  push(request: object): void;
  fulfillRequest(response: object): void;
  maybeThrottle(ms: number): void;
  scheduleRequestTimeoutCheck(): void;
  destroy(): void;
}

/** kafkajs' own queue with the replacement, and what becomes of the requests that are pushed, by number. */
function queue(t: TestContext) {
  const Quiet = patchRequestQueue(require('kafkajs/src/network/requestQueue/index.js')) as new (
    options: object,
  ) => Queue;
  const silent = { debug() {}, warn() {} };
  const options = { maxInFlightRequests: null, requestTimeout: TIMEOUT_MS, enforceRequestTimeout: true };
  const made = new Quiet({ ...options, clientId: 'c', broker: 'b', logger: silent });
  t.after(() => made.destroy());
  made.scheduleRequestTimeoutCheck();
  const sent: number[] = [];
  const push = (correlationId: number) =>
    new Promise((resolve, reject) => {
      const entry = { correlationId, apiKey: 3, apiName: 'Metadata', apiVersion: 1, resolve, reject };
      made.push({ entry, expectResponse: true, sendRequest: () => sent.push(correlationId) });
    });
  const answer = (correlationId: number) => made.fulfillRequest({ correlationId, payload: null, size: 0 });
  return { made, sent, push, answer };
}

/** The system's time from now on. The clock that only goes forward is left alone. */
function stepClock(t: TestContext, ms: number): void {
  t.mock.timers.enable({ apis: ['Date'], now: Date.now() + ms });
}

for (const ms of [-HOUR_MS, HOUR_MS]) {
  const step = ms < 0 ? 'back' : 'ahead';

  test(`a request that is not answered times out, and one that is does not, when the clock steps ${step}`, async (t) => {
    const { push, answer } = queue(t);
    const [silent, answered] = [push(1), push(2)];
    stepClock(t, ms);
    await delay(LOOKED_AT_MS);
    answer(2);
    await answered;
    await assert.rejects(silent, { name: 'KafkaJSRequestTimeoutError' });
  });

  test(`a throttled queue waits as long as it is told when the clock steps ${step}`, async (t) => {
    const { made, sent, push, answer } = queue(t);
    const before = performance.now();
    made.maybeThrottle(THROTTLE_MS);
    stepClock(t, ms);
    const waiting = push(1);
    assert.deepEqual(sent, []);
    while (sent.length === 0 && performance.now() - before < 10_000) await delay(5);
    assert.ok(performance.now() - before >= THROTTLE_MS - 1);
    answer(1);
    await waiting;
  });
}
