/** Java's archive of the classes of a broker. */
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { cached } from '../cache.ts';
import { freePorts } from '../ports.ts';
import { ManagedProcess, START_TIMEOUT_MS } from '../process.ts';
import {
  formatPropertyFile,
  formatStorage,
  javaArguments,
  KAFKA_VERSION,
  QUICK_JAVA,
} from './kafka-distribution.ts';
import { liveBrokers } from './kafka-probe.ts';
import { brokerProperties } from './kafka-properties.ts';

const FILE = 'classes.jsa';

/**
 * The archive, for `-XX:SharedArchiveFile`. With it a broker starts in two thirds of the CPU time.
 *
 * A broker is started once to make it. Java works without it where it cannot write or use one.
 */
export async function classArchive(jars: string): Promise<string> {
  const folder = await cached(`kafka-${KAFKA_VERSION}-classes`, async (draft) => {
    const [client, controller] = await freePorts(2);
    const data = path.join(draft, 'data');
    await formatStorage(jars, data, 1);
    const file = path.join(draft, 'server.properties');
    const ports = [{ client: client!, controller: controller! }];
    writeFileSync(file, formatPropertyFile(brokerProperties(1, ports, data, {})));
    const broker = new ManagedProcess({
      name: 'the broker whose classes are kept',
      command: 'java',
      args: [
        `-XX:ArchiveClassesAtExit=${path.join(draft, FILE)}`,
        ...QUICK_JAVA,
        ...javaArguments(jars, 320, 'kafka.Kafka', [file]),
      ],
      logFile: path.join(draft, 'broker.log'),
    });
    const live = async () => (await liveBrokers(client!)).length === 1;
    await broker.waitUntil('it is live', live, { timeoutMs: START_TIMEOUT_MS });
    await broker.stop({ timeoutMs: START_TIMEOUT_MS });
    rmSync(data, { recursive: true });
  });
  return path.join(folder, FILE);
}
