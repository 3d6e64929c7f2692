/** Creates SCRAM users on a broker, in Kafka's own protocol: kafkajs has no request for it. */
import { pbkdf2Sync, randomBytes } from 'node:crypto';
import { createConnection } from 'node:net';

const ALTER_USER_SCRAM_CREDENTIALS = 51;
const ITERATIONS = 4096;
const MECHANISMS = [
  { id: 1, hash: 'sha256', bytes: 32 },
  { id: 2, hash: 'sha512', bytes: 64 },
];

type Mechanism = (typeof MECHANISMS)[number];

/** Gives a user a password for SCRAM-SHA-256 and SCRAM-SHA-512. `port` is a listener in plain text. */
export async function setScramPassword(port: number, name: string, password: string): Promise<void> {
  // Kafka refuses a request that names a user twice.
  for (const mechanism of MECHANISMS) await send(port, request(name, password, mechanism));
}

function send(port: number, message: Buffer): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = createConnection({ host: '127.0.0.1', port });
    let received = Buffer.alloc(0);
    socket.setTimeout(30_000, () => socket.destroy(new Error(`127.0.0.1:${port} did not answer`)));
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`127.0.0.1:${port} closed the connection`)));
    socket.on('connect', () => socket.write(message));
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk]);
      if (received.length < 4 || received.length < 4 + received.readInt32BE(0)) return;
      const codes = errorCodes(received);
      if (codes.every((code) => code === 0)) resolve();
      else reject(new Error(`Kafka did not take the credentials: error codes ${codes.join(', ')}`));
      socket.destroy();
    });
  });
}

/** https://kafka.apache.org/protocol#The_Messages_AlterUserScramCredentials, version 0 */
function request(name: string, password: string, { id, hash, bytes }: Mechanism): Buffer {
  const header = Buffer.alloc(11); // correlation id 0, client id "", no tagged fields
  header.writeInt16BE(ALTER_USER_SCRAM_CREDENTIALS, 0);
  const salt = randomBytes(24);
  const iterations = Buffer.alloc(4);
  iterations.writeInt32BE(ITERATIONS);
  const body = Buffer.concat([
    Buffer.of(1), // no deletions
    Buffer.of(2), // one upsertion
    compact(Buffer.from(name)),
    Buffer.of(id),
    iterations,
    compact(salt),
    compact(pbkdf2Sync(password, salt, ITERATIONS, bytes, hash)),
    Buffer.of(0, 0), // no tagged fields, of the upsertion and of the request
  ]);
  const length = Buffer.alloc(4);
  length.writeInt32BE(header.length + body.length);
  return Buffer.concat([length, header, body]);
}

/** Bytes with their length + 1 in front; below 127 bytes that is one byte. */
function compact(bytes: Buffer): Buffer {
  return Buffer.concat([Buffer.of(bytes.length + 1), bytes]);
}

function errorCodes(response: Buffer): number[] {
  let at = 4 + 4 + 1 + 4; // length, correlation id, tagged fields, throttle time
  const count = response[at]! - 1;
  at += 1;
  const codes: number[] = [];
  for (let i = 0; i < count; i++) {
    at += response[at]!; // the user's name, with its length + 1
    codes.push(response.readInt16BE(at));
    at += 2;
    at += Math.max(1, response[at]!); // the message, 0 when there is none
    at += 1; // tagged fields
  }
  return codes;
}
