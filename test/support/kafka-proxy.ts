/**
 * A TCP proxy in front of one broker: on demand it loses or holds requests, loses answers, or makes the broker look
 * older.
 */
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { freePort } from '../lab/ports.ts';
import { type KafkaCluster, startKafka } from '../lab/servers/kafka.ts';

/** Request keys of the Kafka protocol: https://kafka.apache.org/protocol#protocol_api_keys */
export const API = {
  produce: 0,
  offsetFetch: 9,
  joinGroup: 11,
  heartbeat: 12,
  apiVersions: 18,
  initProducerId: 22,
  addPartitionsToTxn: 24,
  addOffsetsToTxn: 25,
  endTxn: 26,
  txnOffsetCommit: 28,
} as const;

/** Offset of the entries: behind size, correlation id, error code and count. An entry: key, least and most version. */
const VERSIONS_AT = 14;
const VERSION_BYTES = 6;

interface Cut {
  readonly apiKey: number;
  /** Only requests that contain this text. */
  readonly text: string;
  /** `answer`: the broker gets the request, the client no answer. `request`: the broker does not get it. */
  readonly lost: 'answer' | 'request';
  readonly done: () => void;
}

interface Hold {
  readonly apiKey: number;
  /** Only requests that contain this text. */
  readonly text: string;
  readonly held: (release: () => void) => void;
}

export interface ProxiedKafka {
  readonly kafka: KafkaCluster;
  readonly proxy: KafkaProxy;
  /** Addresses for clients: the proxy's. */
  readonly brokers: string[];
}

/** Most time to wait for a matching request, in ms. */
const CUT_TIMEOUT_MS = 60_000;

/** Starts a Kafka that clients reach through a proxy only. */
export async function startProxiedKafka(name: string): Promise<ProxiedKafka> {
  const proxy = await KafkaProxy.start();
  const address = `127.0.0.1:${proxy.port}`;
  // Clients connect to the address that the broker advertises.
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
  readonly #cuts = new Set<Cut>();
  readonly #holds = new Set<Hold>();
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

  /** Cuts the connection of the next matching request. Resolves when that is done; rejects when none comes. */
  cut(apiKey: number, text: string, lost: Cut['lost']): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#cuts.delete(cut);
        reject(new Error(`no request ${apiKey} with "${text}" lost its ${lost} in ${CUT_TIMEOUT_MS} ms`));
      }, CUT_TIMEOUT_MS);
      const done = () => {
        clearTimeout(timer);
        resolve();
      };
      const cut: Cut = { apiKey, text, lost, done };
      this.#cuts.add(cut);
    });
  }

  /** From now on ApiVersions answers limit `apiKey` to `version`. */
  pretend(apiKey: number, version: number): void {
    this.#oldest.set(apiKey, version);
  }

  /** Holds the next matching request, and all behind it. Resolves when it arrives, to the function that releases it. */
  hold(apiKey: number, text: string): Promise<() => void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#holds.delete(hold);
        reject(new Error(`no request ${apiKey} with "${text}" came in ${CUT_TIMEOUT_MS} ms`));
      }, CUT_TIMEOUT_MS);
      const held = (release: () => void) => {
        clearTimeout(timer);
        resolve(release);
      };
      const hold: Hold = { apiKey, text, held };
      this.#holds.add(hold);
    });
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
    let isHeld = false;
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
      pass();
    });
    const pass = () => {
      while (!isHeld && received.length >= 4 && received.length >= 4 + received.readInt32BE(0)) {
        const frame = received.subarray(0, 4 + received.readInt32BE(0));
        const hold = takeMatching(this.#holds, frame);
        if (hold !== undefined) {
          isHeld = true;
          hold.held(() => {
            isHeld = false;
            pass();
          });
          return;
        }
        received = received.subarray(frame.length);
        const cut = takeMatching(this.#cuts, frame);
        if (cut !== undefined) {
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
    };
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

  /** Rewrites an ApiVersions response v0 to v2, the first on its connection. */
  #age(response: Buffer): void {
    for (let at = VERSIONS_AT; at + VERSION_BYTES <= response.length; at += VERSION_BYTES) {
      const version = this.#oldest.get(response.readInt16BE(at));
      if (version !== undefined) response.writeInt16BE(version, at + VERSION_BYTES - 2);
    }
  }
}

/** Removes and returns the entry that waits for a request like `frame`. */
function takeMatching<T extends Cut | Hold>(waiting: Set<T>, frame: Buffer): T | undefined {
  const match = [...waiting].find(
    ({ apiKey, text }) => frame.readInt16BE(4) === apiKey && frame.includes(text),
  );
  if (match !== undefined) waiting.delete(match);
  return match;
}
