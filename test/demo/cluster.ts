/** The demo's servers: Kafka, VictoriaMetrics, three vmagents. Says what it fetches, since that can take a while. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CACHE } from '../support/cache.ts';
import { dockerAnswers } from '../support/servers/docker.ts';
import { type KafkaCluster, startKafka } from '../support/servers/kafka.ts';
import { KAFKA_VERSION } from '../support/servers/kafka-distribution.ts';
import { findOnPath } from '../support/servers/victoria-binaries.ts';
import {
  startVictoriaMetrics,
  startVmagent,
  type VictoriaMetrics,
  type Vmagent,
  vmagentSupportsStreamAggregation,
} from '../support/servers/victoriametrics.ts';
import { NODE_LABEL } from '../support/verify.ts';
import { NODES } from './configuration.ts';

export interface Cluster {
  kafka: KafkaCluster;
  storage: VictoriaMetrics;
  vmagents: Vmagent[];
}

/** Everything that is to be closed, last opened first. */
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

/** Starts the servers side by side. What has been started is in `closing`, even when it throws. */
export async function startCluster(print: Print, closing: Closing): Promise<Cluster> {
  announceDownloads(print);
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
        const vmagent = await startVmagent({ name, remoteWriteUrl: storage.remoteWriteUrl, labels });
        closing.add(() => vmagent.close());
        return vmagent;
      }),
    );
    print(`  ${vmagents.length} vmagents: ${vmagents[0]!.source}`);
    print(`  ${aggregationNote(vmagents[0]!.version)}`);
    return { storage, vmagents };
  };
  const startBroker = async () => {
    const kafka = await timed('Kafka', startKafka({ name: 'demo-kafka', own: true }));
    closing.add(() => kafka.close());
    return kafka;
  };
  // Both are waited for, so that whatever comes up is known to `closing` when the other fails.
  const [kafka, stored] = await Promise.allSettled([startBroker(), startStorage()]);
  if (kafka.status === 'rejected') throw kafka.reason;
  if (stored.status === 'rejected') throw stored.reason;
  return { kafka: kafka.value, ...stored.value };
}

function announceDownloads(print: Print): void {
  if (dockerAnswers()) {
    print('  docker answers: images that are not here yet are pulled first');
    return;
  }
  if (!existsSync(path.join(CACHE, `kafka-${KAFKA_VERSION}`))) {
    print(`  fetching Apache Kafka ${KAFKA_VERSION} from Maven Central, about 45 MB, once …`);
  }
  const onPath = ['victoria-metrics', 'vmagent'].every(
    (program) => findOnPath(program) ?? findOnPath(`${program}-prod`),
  );
  if (!onPath && !existsSync(path.join(CACHE, 'victoria-metrics-debian'))) {
    print("  fetching Debian's package victoria-metrics by apt-get download, not installed, once …");
  }
}

function aggregationNote(version: string): string {
  return vmagentSupportsStreamAggregation(version)
    ? 'they forward raw samples, to compare each; docker-compose.yml shows aggregation'
    : `vmagent ${version} forwards raw samples: it has no stream aggregation, 1.86 and newer do`;
}
