/** The demo's servers: Kafka, VictoriaMetrics, three vmagents. Prints what it downloads, which can take a while. */
import { existsSync } from 'node:fs';
import path from 'node:path';
import { CACHE } from '../lab/cache.ts';
import { aggregationConfig, type Servers, startServers } from '../lab/deployment/metrics-stack.ts';
import { dockerAnswers } from '../lab/servers/docker.ts';
import { KAFKA_VERSION } from '../lab/servers/kafka-distribution.ts';
import { findOnPath, findVictoria, VICTORIA_VERSION } from '../lab/servers/victoria-binaries.ts';
import { builtFolder, hasGo } from '../lab/servers/victoria-go.ts';
import { vmagentHasWindows } from '../lab/servers/victoriametrics.ts';
import { NODE_LABEL } from '../lab/truth/stored-samples.ts';
import { NODES, WINDOW_MS } from './configuration.ts';

export interface Cluster extends Servers {
  /** Whether the vmagents aggregate, besides forwarding raw samples. */
  readonly aggregates: boolean;
}

type Print = (line: string) => void;

/** Those started are in `closing`, even when it throws. */
export async function startCluster(print: Print, closing: AsyncDisposableStack): Promise<Cluster> {
  announceDownloads(print);
  const aggregation = await aggregationOf(print);
  const servers = await startServers({
    closing,
    kafka: { name: 'demo-kafka', own: true },
    nodes: NODES,
    vmagent: (name) => ({ labels: { [NODE_LABEL]: name }, ...aggregation }),
    up: (what, source, seconds) => print(`  ${what}: ${source}, up in ${seconds.toFixed(1)} s`),
  });
  return { ...servers, aggregates: aggregation !== undefined };
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
  print(
    `  vmagents aggregate by deploy/streamaggr.yml in windows of ${WINDOW_MS / 1000} s; raw samples are stored too, to compare each`,
  );
  return { streamAggrConfig: aggregationConfig(WINDOW_MS), keepsRaw: true };
}
