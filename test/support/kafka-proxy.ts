/** A TCP proxy in front of one broker that loses a request or an answer on demand, or makes the broker look older. */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { freePort } from './ports.ts';
import { type KafkaCluster, startKafka } from './servers/kafka.ts';

/** Request keys of the Kafka protocol: https://kafka.apache.org/protocol#protocol_api_keys */
export const API = {
  produce: 0,
  offsetFetch: 9,
  heartbeat: 12,
  apiVersions: 18,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const;

/** Behind size, correlation id, error code and the number of entries; an entry is key, least and most version. */
const VERSIONS_AT = 14;
const VERSION_BYTES = 6;

interface Cut {
  readonly apiKey: number;
  /** Only requests that hold this text. */
  readonly text: string;
  /** What the client's connection ends without: the broker's answer, or the request itself never arrives. */
  readonly lost: 'answer' | 'request';
  readonly done: () => void;
}

export interface ProxiedKafka {
  readonly kafka: KafkaCluster;
  readonly proxy: KafkaProxy;
  /** Where clients connect: the proxy. */
  readonly brokers: string[];
}

/** How long such a request may be in coming, in ms. */
const CUT_TIMEOUT_MS = 60_000;

/** Starts a Kafka of its own, which clients reach through a proxy only. */
export async function startProxiedKafka(name: string): Promise<ProxiedKafka> {
  const proxy = await KafkaProxy.start();
  const address = `127.0.0.1:${proxy.port}`;
  // Brokers tell clients where to connect.
  const properties = { 'advertised.listeners': `PLAINTEXT://${address}` };
  const kafka = await startKafka({ properties, name });
  proxy.upstream = Number(kafka.brokers[0]!.split(':')[1]);
  return { kafka, proxy, brokers: [address] };
}

export class KafkaProxy {
  readonly port: number;
  /** The broker's own port; set it before the first connection. */
  upstream = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  #cut: Cut | undefined;
  readonly #oldest = new Map<number, number>();

  private constructor(port: number) {
    this.port = port;
    this.#server = createServer((client) => this.#serve(client));
  }

  static async start(): Promise<KafkaProxy> {
    const proxy = new KafkaProxy(await freePort());
    await new Promise<void>((resolve) => proxy.#server.listen(proxy.port, '127.0.0.1', resolve));
    return proxy;
  }

  /** Cuts the connection of the next such request. Resolves when that has happened; rejects when none comes. */
  cut(apiKey: number, text: string, lost: Cut['lost']): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#cut = undefined;
        reject(new Error(`no request ${apiKey} with "${text}" lost its ${lost} in ${CUT_TIMEOUT_MS} ms`));
      }, CUT_TIMEOUT_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      this.#cut = { apiKey, text, lost, done };
    });
  }

  /** From now on the broker says that it takes requests `apiKey` up to `version` only. */
  pretend(apiKey: number, version: number): void {
    this.#oldest.set(apiKey, version);
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  #serve(client: Socket): void {
    const broker = dial(this.upstream, '127.0.0.1');
    let received = Buffer.alloc(0);
    let cutting: Cut | undefined;
    let asksVersions = false;
    const end = () => {
      client.destroy();
      broker.destroy();
      this.#sockets.delete(client);
      this.#sockets.delete(broker);
    };
    for (const socket of [client, broker]) {
      this.#sockets.add(socket);
      socket.setNoDelay();
      socket.on('error', end).on('close', end);
    }
    client.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      while (received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const frame = received.subarray(0, 4 + received.readInt32BE(0));
        received = received.subarray(frame.length);
        const cut = this.#cut;
        if (cut !== undefined && frame.readInt16BE(4) === cut.apiKey && frame.includes(cut.text)) {
          this.#cut = undefined;
          cutting = cut;
          if (cut.lost === 'request') {
            end();
            cut.done();
            return;
          }
        }
        asksVersions ||= frame.readInt16BE(4) === API.apiVersions;
        broker.write(frame);
      }
    });
    broker.on('data', (chunk) => {
      if (cutting === undefined) {
        if (asksVersions) this.#age(chunk);
        asksVersions = false;
        client.write(chunk);
        return;
      }
      end();
      cutting.done();
    });
  }

  /** Changes what an ApiVersions response v0 to v2 says, which is the first on its connection. */
  #age(response: Buffer): void {
    for (let at = VERSIONS_AT; at + VERSION_BYTES <= response.length; at += VERSION_BYTES) {
      const version = this.#oldest.get(response.readInt16BE(at));
      if (version !== undefined) response.writeInt16BE(version, at + VERSION_BYTES - 2);
    }
  }
}
