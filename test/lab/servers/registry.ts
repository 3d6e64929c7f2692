/** A real schema registry for tests: Apicurio Registry, through its Confluent-compatible API. */
import { execFile } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';
import { cached, createRunFolder, removeRunFolder } from '../cache.ts';
import { freePort } from '../ports.ts';
import { ManagedProcess, START_TIMEOUT_MS, succeeds } from '../process.ts';
import { QUICK_JAVA } from './kafka-distribution.ts';

const run = promisify(execFile);

export const APICURIO_VERSION = '2.6.13.Final';

const ARTIFACT = `apicurio-registry-app-${APICURIO_VERSION}`;
const JVM_FLAGS = [...QUICK_JAVA, '-XX:+UseSerialGC', '-XX:-UsePerfData', '-Xmx256m'];

export type SchemaType = 'AVRO' | 'JSON' | 'PROTOBUF';

/** A schema that another one refers to by `name`. */
export interface Reference {
  readonly name: string;
  readonly subject: string;
  readonly version: number;
}

export interface SchemaRegistryServer {
  /** Value for `registry.url`. */
  readonly url: string;
  readonly source: string;
  /** Registers a version of a subject. Resolves to the schema's id. */
  register(
    subject: string,
    type: SchemaType,
    schema: string,
    references?: readonly Reference[],
  ): Promise<number>;
  /** SIGKILL. What was registered stays. */
  kill(): Promise<void>;
  /** SIGSTOP: it accepts connections, and answers nothing. */
  pause(): void;
  /** SIGCONT. */
  resume(): void;
  /** Starts it again, on its port and with what was registered. */
  start(): Promise<void>;
  close(): Promise<void>;
}

/** Starts a registry and waits until it answers. */
export async function startRegistry(name = 'registry'): Promise<SchemaRegistryServer> {
  const home = await registryHome();
  const folder = createRunFolder(name);
  const port = await freePort();
  const url = `http://127.0.0.1:${port}/apis/ccompat/v7`;
  const launch = () =>
    new ManagedProcess({
      name,
      command: 'java',
      args: [...JVM_FLAGS, '-jar', path.join(home, `${ARTIFACT}-runner.jar`)],
      env: {
        QUARKUS_HTTP_HOST: '127.0.0.1',
        QUARKUS_HTTP_PORT: String(port),
        // A file, so that a killed registry keeps its schemas and their ids.
        REGISTRY_DATASOURCE_URL: `jdbc:h2:file:${path.join(folder, 'schemas')}`,
        QUARKUS_OTEL_SDK_DISABLED: 'true',
      },
      cwd: folder,
      logFile: path.join(folder, 'registry.log'),
    });
  let server = launch();
  const live = () => server.waitForHttp(`${url}/subjects`, { timeoutMs: START_TIMEOUT_MS });
  const close = async () => {
    await server.discard();
    removeRunFolder(folder);
  };
  try {
    await live();
  } catch (error) {
    await close();
    throw error;
  }
  return {
    url,
    source: `Apicurio Registry ${APICURIO_VERSION} on this machine's Java`,
    register: (subject, type, schema, references = []) => register(url, subject, type, schema, references),
    kill: async () => void (await server.kill()),
    pause: () => server.pause(),
    resume: () => server.resume(),
    start: async () => {
      if (server.exit === undefined) throw new Error(`${name} runs already`);
      server = launch();
      await live();
    },
    close,
  };
}

async function register(
  url: string,
  subject: string,
  schemaType: SchemaType,
  schema: string,
  references: readonly Reference[],
): Promise<number> {
  const response = await fetch(`${url}/subjects/${encodeURIComponent(subject)}/versions`, {
    method: 'POST',
    headers: { 'content-type': 'application/vnd.schemaregistry.v1+json' },
    body: JSON.stringify({ schemaType, schema, references }),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${response.url} answered ${response.status}: ${text}`);
  return (JSON.parse(text) as { id: number }).id;
}

/** The folder with the registry's jars, fetched by Maven when it is not in the cache (about 140 MB). */
function registryHome(): Promise<string> {
  return cached(`apicurio-registry-${APICURIO_VERSION}`, async (folder) => {
    if (!succeeds('mvn', ['-v'], 30_000)) {
      throw new Error('Apicurio Registry is not in .cache/ and there is no Maven to fetch it: install Maven');
    }
    const artifact = `io.apicurio:apicurio-registry-app:${APICURIO_VERSION}:tar.gz:all`;
    const goal = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy';
    await run('mvn', ['-q', '-B', goal, `-Dartifact=${artifact}`, `-DoutputDirectory=${folder}`]);
    const archive = path.join(folder, `${ARTIFACT}-all.tar.gz`);
    await run('tar', ['-xzf', archive, '-C', folder]);
    rmSync(archive);
    if (!existsSync(path.join(folder, `${ARTIFACT}-runner.jar`))) {
      throw new Error(`${ARTIFACT} has no runner jar: has its layout changed?`);
    }
  });
}
