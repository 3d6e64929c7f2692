/** The demo's servers: Kafka, VictoriaMetrics, three vmagents. Prints what it downloads, which can take a while. */
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { CACHE, createRunFolder, ROOT } from '../lab/cache.ts';
import { dockerAnswers } from '../lab/servers/docker.ts';
import { type KafkaCluster, startKafka } from '../lab/servers/kafka.ts';
import { KAFKA_VERSION } from '../lab/servers/kafka-distribution.ts';
import { findOnPath, findVictoria, VICTORIA_VERSION } from '../lab/servers/victoria-binaries.ts';
import { builtFolder, hasGo } from '../lab/servers/victoria-go.ts';
import {
  startVictoriaMetrics,
  startVmagent,
  type VictoriaMetrics,
  type Vmagent,
  vmagentHasWindows,
} from '../lab/servers/victoriametrics.ts';
import { NODE_LABEL } from '../lab/truth/stored-samples.ts';
import { NODES, WINDOW_MS } from './configuration.ts';

export interface Cluster {
  kafka: KafkaCluster;
  storage: VictoriaMetrics;
  vmagents: Vmagent[];
  /** Whether the vmagents aggregate, besides forwarding raw samples. */
  aggregates: boolean;
}

/** Collects what has to be closed, and closes it last opened first. */
export class Closing {
  readonly #closers: (() => Promise<unknown>)[] = [];

  add(close: () => Promise<unknown>): void {
    this.#closers.unshift(close);
  }

  async close(): Promise<void> {
    const closers = this.#closers.splice(0);
    await Promise.allSettled(closers.map((close) => close()));
  }
}

type Print = (line: string) => void;

/** Starts the servers in parallel. Those started are in `closing`, even when it throws. */
export async function startCluster(print: Print, closing: Closing): Promise<Cluster> {
  announceDownloads(print);
  const aggregation = await aggregationOf(print);
  const timed = async <T extends { source: string }>(what: string, start: Promise<T>): Promise<T> => {
    const began = Date.now();
    const server = await start;
    print(`  ${what}: ${server.source}, up in ${((Date.now() - began) / 1000).toFixed(1)} s`);
    return server;
  };
  const startStorage = async () => {
    const storage = await timed('VictoriaMetrics', startVictoriaMetrics());
    closing.add(() => storage.close());
    const vmagents = await Promise.all(
      NODES.map(async (name) => {
        const labels = { [NODE_LABEL]: name };
        const { remoteWriteUrl } = storage;
        const vmagent = await startVmagent({ name, remoteWriteUrl, labels, ...aggregation });
        closing.add(() => vmagent.close());
        return vmagent;
      }),
    );
    print(`  ${vmagents.length} vmagents: ${vmagents[0]!.source}`);
    return { storage, vmagents };
  };
  const startBroker = async () => {
    const kafka = await timed('Kafka', startKafka({ name: 'demo-kafka', own: true }));
    closing.add(() => kafka.close());
    return kafka;
  };
  // Waits for both, so that `closing` has the one that starts when the other fails.
  const [kafka, stored] = await Promise.allSettled([startBroker(), startStorage()]);
  if (kafka.status === 'rejected') throw kafka.reason;
  if (stored.status === 'rejected') throw stored.reason;
  return { kafka: kafka.value, ...stored.value, aggregates: aggregation !== undefined };
}

function announceDownloads(print: Print): void {
  if (dockerAnswers()) {
    print('  docker answers: images that are not here yet are pulled first');
    return;
  }
  if (!existsSync(path.join(CACHE, `kafka-${KAFKA_VERSION}`))) {
    print(`  fetching Apache Kafka ${KAFKA_VERSION} from Maven Central, about 45 MB, once …`);
  }
  const programs = ['victoria-metrics', 'vmagent'].filter(
    (program) => (findOnPath(program) ?? findOnPath(`${program}-prod`)) === undefined,
  );
  if (programs.length === 0) return;
  if (hasGo()) {
    const missing = programs.filter(
      (program) => !existsSync(path.join(CACHE, builtFolder(program, VICTORIA_VERSION))),
    );
    if (missing.length > 0)
      print(`  building ${missing.join(' and ')} ${VICTORIA_VERSION} by go install, a minute or two, once …`);
  } else if (!existsSync(path.join(CACHE, 'victoria-metrics-debian'))) {
    print("  fetching Debian's package victoria-metrics by apt-get download, not installed, once …");
  }
}

/** Aggregation options of the vmagents; undefined, with a message, if the installed vmagent has no windows. */
async function aggregationOf(
  print: Print,
): Promise<{ streamAggrConfig: string; keepsRaw: boolean } | undefined> {
  const { version } = await findVictoria('vmagent');
  if (!vmagentHasWindows(version)) {
    print(
      `  vmagent ${version} cannot aggregate in windows: no aggregates in this demo. Go 1.26, docker or a vmagent of 1.148 or newer on PATH shows them.`,
    );
    return undefined;
  }
  const shipped = readFileSync(path.join(ROOT, 'deploy/streamaggr.yml'), 'utf8');
  const streamAggrConfig = path.join(createRunFolder('streamaggr'), 'streamaggr.yml');
  writeFileSync(streamAggrConfig, shipped.replaceAll('30s', `${WINDOW_MS / 1000}s`));
  print(
    `  vmagents aggregate by deploy/streamaggr.yml in windows of ${WINDOW_MS / 1000} s; raw samples are stored too, to compare each`,
  );
  return { streamAggrConfig, keepsRaw: true };
}
