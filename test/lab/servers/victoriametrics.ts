/** A real VictoriaMetrics to store into, and real vmagents in front of it. */
import path from 'node:path';
import { createRunFolder, removeRunFolder } from '../cache.ts';
import { freePort } from '../ports.ts';
import { type ManagedProcess, START_TIMEOUT_MS } from '../process.ts';
import { findVictoria, type VictoriaBinary } from './victoria-binaries.ts';

/** One series of `/api/v1/export`. */
export interface ExportedSeries {
  metric: Record<string, string>;
  /** null is NaN: usually a stale marker. */
  values: (number | null)[];
  /** Milliseconds since 1970. */
  timestamps: number[];
}

export interface VictoriaMetrics {
  url: string;
  source: string;
  version: string;
  /** The URL that a vmagent or a remote-write client sends to. */
  remoteWriteUrl: string;
  /** Every stored sample of the series that the selector matches, duplicates included. */
  exportSeries(match: string): Promise<ExportedSeries[]>;
  /** Stores series as they are, through `/api/v1/import`. */
  importSeries(series: ExportedSeries[]): Promise<void>;
  /** Makes received samples visible to reads. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

export interface VmagentOptions {
  remoteWriteUrl: string;
  /** Added to every series on its way out (`-remoteWrite.label`). */
  labels?: Record<string, string>;
  /** Path of a stream aggregation configuration. */
  streamAggrConfig?: string;
  /** Raw samples go to `remoteWriteUrl` too, beside the aggregates. */
  keepsRaw?: boolean;
  extraArgs?: string[];
  /** Used instead of the program that `findVictoria` finds. */
  binary?: VictoriaBinary;
  port?: number;
  name?: string;
}

export interface Vmagent {
  url: string;
  /** Such as `1.79.5`; empty if unknown. */
  version: string;
  source: string;
  readonly pid: number;
  /** SIGTERM: it sends or saves what it has. */
  stop(): Promise<void>;
  /** SIGKILL: what it had only in memory is lost. */
  kill(): Promise<void>;
  pause(): void;
  resume(): void;
  /** Starts it again, with its port and its saved queue. */
  start(): Promise<void>;
  close(): Promise<void>;
}

export async function startVictoriaMetrics(): Promise<VictoriaMetrics> {
  const binary = await findVictoria('victoria-metrics');
  const server = await startServer(binary, 'victoria-metrics', await freePort(), (folder) => [
    `-storageDataPath=${path.join(folder, 'data')}`,
    // Samples of any age are stored, and reads see all of them at once and unmerged.
    '-retentionPeriod=100y',
    '-search.latencyOffset=0s',
    '-dedup.minScrapeInterval=0s',
    '-search.disableCache',
    '-search.maxUniqueTimeseries=5000000',
    '-memory.allowedBytes=512MB',
  ]);
  const { url } = server;
  return {
    url,
    source: binary.source,
    version: binary.version,
    remoteWriteUrl: `${url}/api/v1/write`,
    async exportSeries(match) {
      // Without an end it exports up to now, which misses samples when clocks or tests run ahead.
      const end = Math.floor(Date.now() / 1000) + 3 * 86_400;
      const query = new URLSearchParams({
        'match[]': match,
        start: '0',
        end: String(end),
        reduce_mem_usage: '1',
      });
      const text = await (await ok(await fetch(`${url}/api/v1/export?${query}`))).text();
      return joinBlocks(
        text
          .split('\n')
          .filter((line) => line !== '')
          .map(parseExportLine),
      );
    },
    async importSeries(series) {
      const body = series.map((one) => JSON.stringify(one)).join('\n');
      await ok(await fetch(`${url}/api/v1/import`, { method: 'POST', body }));
    },
    async flush() {
      await ok(await fetch(`${url}/internal/force_flush`));
    },
    close: () => server.close(),
  };
}

export async function startVmagent(options: VmagentOptions): Promise<Vmagent> {
  const binary = options.binary ?? (await findVictoria('vmagent'));
  const labels = Object.entries(options.labels ?? {}).map(
    ([name, value]) => `-remoteWrite.label=${name}=${value}`,
  );
  const name = options.name ?? 'vmagent';
  const server = await startServer(binary, name, options.port ?? (await freePort()), (folder) => [
    ...targetArgs(options),
    `-remoteWrite.tmpDataPath=${path.join(folder, 'data')}`,
    '-remoteWrite.flushInterval=200ms',
    '-memory.allowedBytes=256MB',
    ...labels,
    ...(options.extraArgs ?? []),
  ]);
  return {
    url: server.url,
    version: binary.version,
    source: binary.source,
    get pid() {
      return server.process.pid;
    },
    stop: async () => void (await server.process.stop()),
    kill: async () => void (await server.process.kill()),
    pause: () => server.process.pause(),
    resume: () => server.process.resume(),
    start: () => server.start(),
    close: () => server.close(),
  };
}

function targetArgs({ remoteWriteUrl, streamAggrConfig, keepsRaw = false }: VmagentOptions): string[] {
  const target = `-remoteWrite.url=${remoteWriteUrl}`;
  if (streamAggrConfig === undefined) return [target];
  if (!keepsRaw) return [target, `-remoteWrite.streamAggr.config=${streamAggrConfig}`];
  // Per target, in order; two targets with one address would be merged.
  return [
    target,
    `${target}?aggregated=1`,
    `-remoteWrite.streamAggr.config=,${streamAggrConfig}`,
    '-remoteWrite.streamAggr.dropInput=false,true',
  ];
}

/** Old versions write bare NaN and Inf among the values, which is no JSON; newer ones null and "Infinity". */
function parseExportLine(line: string): ExportedSeries {
  const json = line.replace(/"values":\[[^\]]*\]/, (values) =>
    values
      .replaceAll(/NaN/g, 'null')
      .replaceAll(/"?([+-]?)Inf(?:inity)?"?/g, (_, sign) => `${sign === '-' ? '-' : ''}1e999`),
  );
  return JSON.parse(json) as ExportedSeries;
}

/**
 * One entry per series, in order of time. With reduce_mem_usage storage exports one line per block; without it, some
 * versions leave out samples that are stored twice.
 */
function joinBlocks(blocks: ExportedSeries[]): ExportedSeries[] {
  const bySeries = Map.groupBy(blocks, ({ metric }) => JSON.stringify(metric));
  return [...bySeries.values()].map((parts) => {
    const samples = parts.flatMap(({ values, timestamps }) =>
      timestamps.map((time, at) => ({ time, value: values[at]! })),
    );
    samples.sort((a, b) => a.time - b.time);
    return {
      metric: parts[0]!.metric,
      values: samples.map(({ value }) => value),
      timestamps: samples.map(({ time }) => time),
    };
  });
}

/** Whether a vmagent of this version has `enable_windows`: since 1.112.0. An empty version has not. */
export function vmagentHasWindows(version: string): boolean {
  return isSince(version, 112);
}

/** Whether a version is 1.`since` or later. An empty one is not. */
export function isSince(version: string, since: number): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major > 1 || (major === 1 && minor >= since);
}

interface Server {
  url: string;
  process: ManagedProcess;
  start(): Promise<void>;
  close(): Promise<void>;
}

async function startServer(
  binary: VictoriaBinary,
  name: string,
  port: number,
  args: (folder: string) => string[],
): Promise<Server> {
  const folder = createRunFolder(name);
  const url = `http://127.0.0.1:${port}`;
  const all = [`-httpListenAddr=127.0.0.1:${port}`, '-loggerTimezone=UTC', ...args(folder)];
  const launch = (previous?: ManagedProcess) => binary.start({ name, args: all, folder }, previous);
  const server: Server = {
    url,
    process: launch(),
    async start() {
      if (server.process.exit === undefined) throw new Error(`${name} runs already`);
      server.process = launch(server.process);
      await server.process.waitForHttp(`${url}/health`, { timeoutMs: START_TIMEOUT_MS });
    },
    async close() {
      await server.process.discard();
      removeRunFolder(folder);
    },
  };
  try {
    await server.process.waitForHttp(`${url}/health`, { timeoutMs: START_TIMEOUT_MS });
  } catch (error) {
    await server.close();
    throw error;
  }
  return server;
}

async function ok(response: Response): Promise<Response> {
  if (response.ok) return response;
  throw new Error(`${response.url} answered ${response.status}: ${await response.text()}`);
}
