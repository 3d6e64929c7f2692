import assert from 'node:assert/strict';
import { afterEach, describe, mock, test } from 'node:test';
import { pino } from 'pino';
import type { KafkaConnection } from '../../../../../src/io/kafka/client/connection.ts';
import { GroupMember } from '../../../../../src/io/kafka/group/group-member.ts';
import type { GroupObserver } from '../../../../../src/io/kafka/patch/group-observer.ts';

const RESTART_MAX_MS = 15_000;

/** kafkajs' consumers as far as a member asks them. A test says what the next subscriptions meet. */
class Consumers {
  made = 0;
  running = 0;
  /** What the next `subscribe` meets; nothing more: it succeeds. */
  answers: Error[] = [];
  #crash: ((event: { payload: { error: Error; restart: boolean } }) => void) | undefined;

  /** What kafkajs does when its consumer gives up. */
  crash(error: Error): void {
    this.running -= 1;
    this.#crash!({ payload: { error, restart: false } });
  }

  instance() {
    const consumer = {
      events: { GROUP_JOIN: 'join', CRASH: 'crash' },
      on: (event: string, listener: never) => {
        if (event === 'crash') this.#crash = listener;
      },
      connect: async () => undefined,
      subscribe: async () => {
        const answer = this.answers.shift();
        if (answer !== undefined) throw answer;
      },
      run: async () => {
        this.running += 1;
      },
      disconnect: async () => undefined,
    };
    return {
      consumer: () => {
        this.made += 1;
        return consumer;
      },
    };
  }
}

function member(consumers: Consumers): GroupMember {
  const options = {
    groupId: 'g',
    topics: ['t'],
    eligible: () => true,
    sessionTimeout: 6_000,
    rebalanceTimeout: 6_000,
    heartbeatInterval: 1_000,
    fetchMaxBytes: 1,
    fetchMaxWait: 100,
  };
  const observer = { lost() {} } as Partial<GroupObserver> as GroupObserver;
  const connection = consumers as Pick<KafkaConnection, never> as KafkaConnection;
  return new GroupMember(connection, options, observer, pino({ level: 'silent' }));
}

/** The broker's answer, as kafkajs throws it: what it does not wait out comes wrapped. */
function answer(type: string): Error {
  return new Error(type, { cause: Object.assign(new Error(type), { type, retriable: false }) });
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe('a member of a group', () => {
  afterEach(() => mock.timers.reset());

  test('that has started starts no second time, and after a failure anew', async () => {
    mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
    const consumers = new Consumers();
    consumers.answers = [answer('UNKNOWN_TOPIC_OR_PARTITION')];
    const started = member(consumers);
    await assert.rejects(started.start(), /UNKNOWN_TOPIC/);
    await Promise.all([started.start(), started.start()]);
    await started.start();
    assert.equal(consumers.running, 1);
    assert.equal(consumers.made, 2);
  });

  for (const type of ['UNKNOWN', 'BROKER_NOT_AVAILABLE', 'UNKNOWN_TOPIC_OR_PARTITION']) {
    test(`begins again after ${type}, also when it meets that again`, async () => {
      mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
      const consumers = new Consumers();
      const running = member(consumers);
      await running.start();
      consumers.answers = [answer(type)];
      consumers.crash(answer(type));
      for (let attempt = 0; attempt < 2; attempt += 1) {
        mock.timers.tick(RESTART_MAX_MS);
        await settled();
      }
      assert.equal(consumers.running, 1);
      assert.equal(consumers.made, 3);
    });
  }

  for (const type of ['GROUP_AUTHORIZATION_FAILED', 'INCONSISTENT_GROUP_PROTOCOL', '']) {
    test(`cannot go on after ${type || 'a defect'}`, async () => {
      mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
      const consumers = new Consumers();
      const running = member(consumers);
      await running.start();
      const error = answer(type);
      consumers.crash(error);
      await assert.rejects(running.failure, error);
    });
  }
});
