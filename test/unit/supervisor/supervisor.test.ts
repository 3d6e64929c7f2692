import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { afterEach, describe, test } from 'node:test';
import { KafkaSetupError } from '../../../src/kafka/errors.ts';
import { ConfigError } from '../../../src/model/errors.ts';
import { SupervisorLink } from '../../../src/supervisor/link.ts';
import { Supervisor } from '../../../src/supervisor/supervisor.ts';
import { createLog } from '../../../src/telemetry/log.ts';
import { Metrics } from '../../../src/telemetry/metrics.ts';
import { poll } from '../../support/process.ts';

const PROGRAM = new URL('../../support/supervised-program.ts', import.meta.url).pathname;

interface Status {
  processes: { process: number; pid: number; state: string; restarts: number; rule?: string }[];
}

let supervisor: Supervisor;

afterEach(async () => {
  await supervisor?.stop(performance.now());
});

async function start(texts: Record<string, string> = { do: 'count' }): Promise<void> {
  const spawn = (index: number) =>
    fork(PROGRAM, [String(index)], {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  supervisor = new Supervisor({ processes: 2, spawn, texts }, new Metrics(), createLog('silent', 'test'));
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
    await assert.rejects(supervisor.failure, new KafkaSetupError('the topic is missing'));
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

  test('reloads all or none', async () => {
    await start({ do: 'count', rule: 'a' });
    await ready();
    const rules = async () => {
      return (await processes()).map(({ rule }) => rule);
    };
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
    await ready();
    assert.deepEqual(await rules(), ['b', 'b'], 'a new life has the rules in force');
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
