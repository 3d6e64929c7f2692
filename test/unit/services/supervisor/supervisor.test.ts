import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { afterEach, describe, test } from 'node:test';
import { ConfigError } from '../../../../src/core/model/errors.ts';
import { FatalKafkaError } from '../../../../src/io/kafka/errors.ts';
import { createLog } from '../../../../src/io/telemetry/log.ts';
import { Metrics } from '../../../../src/io/telemetry/metrics.ts';
import { SupervisorLink } from '../../../../src/services/supervisor/link.ts';
import { Supervisor } from '../../../../src/services/supervisor/supervisor.ts';
import { poll } from '../../../lab/process.ts';

const PROGRAM = new URL('../../../support/supervised-program.ts', import.meta.url).pathname;

interface Status {
  processes: { process: number; pid: number; state: string; restarts: number; rule?: string }[];
}

let supervisor: Supervisor;

afterEach(async () => {
  await supervisor?.stop(performance.now());
});

/** Long enough for a process that answers, on a busy machine. */
const LIMITS = { prepareMs: 2_000, commitMs: 2_000 };

async function start(texts: Record<string, string> = { do: 'count' }): Promise<void> {
  const spawn = (index: number) =>
    fork(PROGRAM, [String(index)], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  supervisor = new Supervisor(
    { processes: 2, spawn, texts },
    new Metrics(),
    createLog('silent', 'test'),
    LIMITS,
  );
  await supervisor.start();
}

const processes = async () => ((await supervisor.status()) as Status).processes;

async function ready(): Promise<void> {
  const late = () => new Error(`not ready: ${JSON.stringify(supervisor.readiness())}`);
  await poll(() => supervisor.readiness().ready, {}, late);
}

/** Value of a series in the text of /metrics; undefined if it is not there. */
async function value(series: string): Promise<number | undefined> {
  supervisor.collect();
  const line = (await supervisor.scrape()).split('\n').find((each) => each.startsWith(`${series} `));
  return line === undefined ? undefined : Number(line.slice(series.length + 1));
}

describe('a supervisor', () => {
  test('adds up what its processes count, and names each one where it speaks of itself', async () => {
    await start();
    await ready();
    const own = [
      await value('process_own_total{process="0"}'),
      await value('process_own_total{process="1"}'),
    ];
    assert.ok(own[0]! >= 1 && own[1]! >= 1, String(own));
    const things = await value('things_total');
    assert.ok(things! >= own[0]! + own[1]! + 2, 'each scrape asks both anew');
    assert.equal(await value('penstock_worker_processes{state="running"}'), 2);
    assert.ok((await value('process_cpu_seconds_total{process="supervisor"}'))! > 0);
  });

  test('starts a killed process again, and no counter goes back', async () => {
    await start();
    await ready();
    const before = (await value('things_total'))!;
    const own = (await value('process_own_total{process="1"}'))!;
    const { pid } = (await processes())[1]!;
    process.kill(pid, 'SIGKILL');
    await poll(
      async () => (await processes())[1]!.restarts === 1,
      {},
      () => new Error('the end was not seen'),
    );
    assert.equal(supervisor.readiness().ready, false);
    assert.deepEqual(supervisor.health(), { ready: true });
    assert.ok((await value('things_total'))! > before);
    assert.ok((await value('process_own_total{process="1"}'))! >= own);
    await ready();
    assert.notEqual((await processes())[1]!.pid, pid);
    assert.equal((await processes())[0]!.restarts, 0);
    assert.ok((await value('things_total'))! > before + 2);
    assert.ok((await value('process_own_total{process="1"}'))! > own);
    assert.equal(await value('penstock_worker_process_restarts_total{process="1"}'), 1);
    assert.equal(await value('penstock_worker_process_restarts_total{process="0"}'), 0);
  });

  test('fails without a restart when a process says that only the operator can help', async () => {
    await start({ do: 'unable' });
    await assert.rejects(supervisor.failure, new FatalKafkaError('the topic is missing'));
    await supervisor.stop(performance.now() + 10_000);
    assert.deepEqual(
      (await processes()).map(({ restarts }) => restarts),
      [0, 0],
    );
  });

  test('starts a process again that is unable, where it was able before', async () => {
    const texts = { do: 'count' };
    await start(texts);
    await ready();
    texts.do = 'unable'; // as a topic that is away for a moment: only what starts now meets it
    process.kill((await processes())[0]!.pid, 'SIGKILL');
    await poll(
      async () => (await processes())[0]!.restarts === 2,
      {},
      () => new Error('no second restart'),
    );
    texts.do = 'count';
    await ready();
  });

  describe('reloads all or none', () => {
    const rules = async () => (await processes()).map(({ rule }) => rule);
    const rulesAre = (expected: string[]) =>
      poll(
        async () => supervisor.readiness().ready && (await rules()).join() === expected.join(),
        {},
        () => new Error('the rules are others'),
      );

    async function startWithRule(): Promise<void> {
      await start({ do: 'count', rule: 'a' });
      await ready();
    }

    test('by the texts, which a process that is started again has too', async () => {
      await startWithRule();
      await supervisor.reload({ do: 'count', rule: 'b' });
      assert.deepEqual(await rules(), ['b', 'b']);
      const refused = supervisor.reload({ do: 'count', rule: 'c', 'refused by': '1' });
      await assert.rejects(refused, new ConfigError('process 1 does not like it'));
      assert.deepEqual(await rules(), ['b', 'b']);
      process.kill((await processes())[0]!.pid, 'SIGKILL');
      await poll(
        async () => (await processes())[0]!.restarts === 1,
        {},
        () => new Error('the end was not seen'),
      );
      await rulesAre(['b', 'b']);
    });

    test('several at once one after the other', async () => {
      await startWithRule();
      const all = ['b', 'c', 'd'].map((rule) => supervisor.reload({ do: 'count', rule }));
      await Promise.all(all);
      assert.deepEqual(await rules(), ['d', 'd']);
    });

    test('without one that hangs before it has agreed: it is replaced, and starts with the texts in force', async () => {
      await startWithRule();
      await supervisor.reload({ do: 'count', rule: 'b', 'hangs by': '1' });
      assert.equal((await rules())[0], 'b');
      await rulesAre(['b', 'b']);
      assert.equal((await processes())[1]!.restarts, 1);
      await supervisor.reload({ do: 'count', rule: 'c' });
      assert.deepEqual(await rules(), ['c', 'c'], 'a later one is not held up');
    });

    test('with one that hangs after it has agreed: no two sets of rules stay at work', async () => {
      await startWithRule();
      await supervisor.reload({ do: 'count', rule: 'b', 'stuck by': '0' });
      await rulesAre(['b', 'b']);
      assert.deepEqual(
        (await processes()).map(({ restarts }) => restarts),
        [1, 0],
      );
    });

    test('with one that dies on the way: it starts again with the texts in force', async () => {
      await startWithRule();
      await supervisor.reload({ do: 'count', rule: 'b', 'dies by': '1' });
      assert.equal((await rules())[0], 'b');
      await rulesAre(['b', 'b']);
    });

    test('with one that was stopped', async () => {
      await startWithRule();
      const { pid } = (await processes())[1]!;
      process.kill(pid, 'SIGSTOP');
      await supervisor.reload({ do: 'count', rule: 'b' });
      await rulesAre(['b', 'b']);
      assert.notEqual((await processes())[1]!.pid, pid);
    });

    test('none, where one lives and is not ready in time, or nobody answers', async () => {
      await startWithRule();
      await assert.rejects(
        supervisor.reload({ do: 'count', rule: 'b', 'slow by': '1' }),
        /process 1 was not ready for it within 2000 ms/,
      );
      assert.deepEqual(await rules(), ['a', 'a']);
      for (const { pid } of await processes()) process.kill(pid, 'SIGSTOP');
      await assert.rejects(supervisor.reload({ do: 'count', rule: 'b' }), /nobody has checked it/);
      for (const { pid } of await processes()) process.kill(pid, 'SIGCONT');
      await rulesAre(['a', 'a']);
      await supervisor.reload({ do: 'count', rule: 'c' });
      assert.deepEqual(await rules(), ['c', 'c'], 'what was too late then is not in force now');
    });
  });

  test('stops all, and none is started again', async () => {
    await start();
    await ready();
    assert.equal(await supervisor.stop(performance.now() + 30_000), 0);
    assert.deepEqual(
      (await processes()).map(({ state, restarts }) => [state, restarts]),
      [
        ['stopped', 0],
        ['stopped', 0],
      ],
    );
    assert.ok((await value('things_total'))! > 0, 'what they counted stays');
  });

  test('kills what has not ended some time after the deadline, and says how many', async () => {
    await start({ do: 'deaf' });
    await ready();
    assert.equal(await supervisor.stop(performance.now()), 2);
  });
});

test('a process without a supervisor is refused', () => {
  assert.throws(() => new SupervisorLink({ on: () => undefined }), ConfigError);
});
