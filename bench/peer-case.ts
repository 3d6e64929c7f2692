import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { request } from 'undici';
import { createRunFolder } from '../test/lab/cache.ts';
import { Scrapes } from '../test/lab/generator/scrapes.ts';
import { HelperProcess } from '../test/lab/helper-process.ts';
import { cpuSecondsOf, memoryMib } from '../test/lab/process-usage.ts';
import { findVictoria } from '../test/lab/servers/victoria-binaries.ts';
import { isSince, startVmagent } from '../test/lab/servers/victoriametrics.ts';
import type { CaseResult } from './case-result.ts';
import { pin } from './measured-process.ts';
import { PENSTOCK_CORE } from './worker-cases.ts';

const WARM_UP_SCRAPES = 4;
/** Requests in flight, so that the vmagent is never idle. */
const CONCURRENCY = 4;
/** A vmagent answers before it has passed a request on: wait for this long, in ms. */
const SETTLE_MS = 2_000;
/** Targets that series are divided among, as tasks are among nodes. */
const TARGETS = 3;
/** The first minor version of 1.x with `-remoteWrite.shardByURL`. */
const SHARDS_SINCE = 92;

/**
 * A vmagent on the same core with the same requests and rules: HTTP in, relabeling, and series divided among several
 * targets if its version can. It keeps no state in Kafka and guarantees less; it is here since machines differ, and a
 * ratio says more than a figure.
 */
export async function runPeerCase(options: {
  readonly series: number;
  readonly samples: number;
  readonly relabel: readonly unknown[];
}): Promise<CaseResult> {
  const { series } = options;
  const [receiver, remoteWriteUrl] = await HelperProcess.start<string>('bench/receiver.ts');
  // JSON is YAML too.
  const rules = path.join(createRunFolder('peer'), 'relabel.yml');
  writeFileSync(rules, JSON.stringify(options.relabel));
  const isSharded = isSince((await findVictoria('vmagent')).version, SHARDS_SINCE);
  const more = Array.from(
    { length: TARGETS - 1 },
    (_, n) => `-remoteWrite.url=${remoteWriteUrl}?shard=${n + 2}`,
  );
  const agent = await startVmagent({
    remoteWriteUrl,
    extraArgs: [
      `-remoteWrite.relabelConfig=${rules}`,
      ...(isSharded ? ['-remoteWrite.shardByURL', ...more] : []),
    ],
  });
  try {
    pin(agent.pid, PENSTOCK_CORE);
    const scrapes = new Scrapes({ series, partitions: 1 });
    await post(`${agent.url}/api/v1/write`, scrapes.take(WARM_UP_SCRAPES));
    await sleep(SETTLE_MS);
    const before = cpuSecondsOf(agent.pid);
    const started = performance.now();
    const count = Math.ceil(options.samples / series);
    await post(`${agent.url}/api/v1/write`, scrapes.take(count));
    const seconds = (performance.now() - started) / 1000;
    await sleep(SETTLE_MS);
    const samples = count * series;
    return {
      name: `peer: vmagent ${agent.version}, HTTP in, 4 relabel rules, ${isSharded ? `${TARGETS} targets` : '1 target'}`,
      series,
      samples,
      cpuMicrosPerSample: ((cpuSecondsOf(agent.pid) - before) * 1e6) / samples,
      samplesPerSecond: samples / seconds,
      peakMib: memoryMib(agent.pid, 'VmHWM'),
    };
  } finally {
    await agent.close();
    receiver.close();
  }
}

/** Sends the requests, several at once, each until it is accepted. */
async function post(url: string, requests: Generator<{ readonly value: Buffer }>): Promise<void> {
  const headers = { 'content-type': 'application/x-protobuf', 'content-encoding': 'snappy' };
  const sender = async () => {
    for (const { value } of requests) {
      const { statusCode, body } = await request(url, { method: 'POST', headers, body: value });
      await body.dump();
      if (statusCode !== 204) throw new Error(`${url} answered ${statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, sender));
}
