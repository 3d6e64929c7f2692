/**
 * Asks one broker for the brokers of the cluster, in Kafka's own protocol.
 *
 * Not through kafkajs: it must not be loaded before src/io/kafka has patched it.
 */
import { createConnection } from 'node:net';

const METADATA = 3;
const VERSION = 1;

/** Ids of the live brokers that the broker at `port` knows. Rejects when it does not answer in 2 s. */
export function liveBrokers(port: number): Promise<number[]> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    let received = Buffer.alloc(0);
    socket.setTimeout(2000, () => socket.destroy(new Error(`127.0.0.1:${port} did not answer`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`127.0.0.1:${port} closed the connection`)));
    socket.on('connect', () => socket.write(metadataRequest()));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      resolve(brokerIds(received));
      socket.destroy();
    });
  });
}

/** A Metadata request, version 1, for no topic: https://kafka.apache.org/protocol#The_Messages_Metadata */
function metadataRequest(): Buffer {
  const request = Buffer.alloc(18);
  request.writeInt32BE(14, 0);
  request.writeInt16BE(METADATA, 4);
  request.writeInt16BE(VERSION, 6);
  request.writeInt32BE(1, 8); // correlation id
  request.writeInt16BE(-1, 12); // no client id
  request.writeInt32BE(0, 14); // no topics
  return request;
}

function brokerIds(response: Buffer): number[] {
  let at = 8; // length, correlation id
  const count = response.readInt32BE(at);
  at += 4;
  const ids: number[] = [];
  for (let i = 0; i < count; i++) {
    ids.push(response.readInt32BE(at));
    at += 4;
    at += 2 + response.readInt16BE(at); // host
    at += 4; // port
    at += 2 + Math.max(0, response.readInt16BE(at)); // rack, -1 when absent
  }
  return ids.sort((a, b) => a - b);
}
