import net from 'node:net';
import tls from 'node:tls';
import type { TlsConnection } from '../../credentials/tls-files.ts';

/** Protocol of a broker's listener, as far as a probe can tell. */
export interface Listener {
  readonly tls: boolean;
  /** SASL mechanisms it offers; undefined: it takes no login; `unknown`: it did not say. */
  readonly mechanisms: readonly string[] | undefined | 'unknown';
}

const SASL_HANDSHAKE = 17;
const NONE = 0;
const UNSUPPORTED_SASL_MECHANISM = 33;
const ILLEGAL_SASL_STATE = 34;
/** A mechanism that no listener has: whoever takes a login answers with those that it has. */
const NO_MECHANISM = 'PENSTOCK-PROBE';
/** First byte of a TLS alert record, which a TLS listener answers to plain text. */
const TLS_ALERT = 0x15;
const CORRELATION_ID = 1;
const HEADER_BYTES = 8;

/**
 * Finds out whether a listener speaks TLS and SASL, after a connection failed without a reason: brokers just hang up on
 * clients that use TLS wrongly or do not log in.
 *
 * @param files certificates for TLS, if configured
 * @returns undefined when the probe shows nothing, as with a broker that is down
 */
export async function probeListener(
  address: { readonly host: string; readonly port: number },
  timeoutMs: number,
  files?: TlsConnection,
): Promise<Listener | undefined> {
  const plain = await ask(net.connect(address), timeoutMs);
  if (plain.answer !== undefined) return { tls: false, mechanisms: mechanismsOf(plain.answer) };
  if (!plain.connected) return undefined;
  const name = net.isIP(address.host) === 0 ? { servername: address.host } : {};
  const options = { ...address, ...name, ...files, rejectUnauthorized: false };
  const secure = await ask(tls.connect(options), timeoutMs, 'secureConnect');
  if (secure.answer !== undefined) return { tls: true, mechanisms: mechanismsOf(secure.answer) };
  return secure.connected || plain.alert ? { tls: true, mechanisms: 'unknown' } : undefined;
}

interface Reply {
  readonly connected: boolean;
  /** The answer to the handshake, without its size. */
  readonly answer?: Buffer;
  /** True if the broker answered with a TLS alert. */
  readonly alert: boolean;
}

/** Sends a SaslHandshake and waits for the answer, the end of the connection, or the timeout. */
function ask(socket: net.Socket, timeoutMs: number, ready = 'connect'): Promise<Reply> {
  return new Promise((resolve) => {
    let connected = false;
    let came = Buffer.alloc(0);
    const end = (answer?: Buffer) => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ connected, alert: came[0] === TLS_ALERT && came[1] === 3, ...(answer && { answer }) });
    };
    const timer = setTimeout(end, timeoutMs);
    socket.once(ready, () => {
      connected = true;
      socket.write(handshake());
    });
    socket.on('error', () => end());
    socket.on('close', () => end());
    socket.on('data', (piece) => {
      came = Buffer.concat([came, piece]);
      if (came.length < HEADER_BYTES || came.readInt32BE(4) !== CORRELATION_ID) return;
      const size = came.readInt32BE(0);
      if (came.length >= 4 + size) end(came.subarray(4, 4 + size));
    });
  });
}

/** SaslHandshake v1. */
function handshake(): Buffer {
  const text = (value: string) => {
    const bytes = Buffer.from(value);
    const length = Buffer.alloc(2);
    length.writeInt16BE(bytes.length);
    return Buffer.concat([length, bytes]);
  };
  const head = Buffer.alloc(8);
  head.writeInt16BE(SASL_HANDSHAKE, 0);
  head.writeInt16BE(1, 2);
  head.writeInt32BE(CORRELATION_ID, 4);
  const request = Buffer.concat([head, text('penstock'), text(NO_MECHANISM)]);
  const size = Buffer.alloc(4);
  size.writeInt32BE(request.length);
  return Buffer.concat([size, request]);
}

/** Parses a SaslHandshake answer: correlation id, error code, mechanisms. */
function mechanismsOf(answer: Buffer): Listener['mechanisms'] {
  if (answer.length < 6) return 'unknown';
  const error = answer.readInt16BE(4);
  if (error === ILLEGAL_SASL_STATE) return undefined;
  if ((error !== UNSUPPORTED_SASL_MECHANISM && error !== NONE) || answer.length < 10) return 'unknown';
  const mechanisms: string[] = [];
  let at = 10;
  for (let left = answer.readInt32BE(6); left > 0 && at + 2 <= answer.length; left -= 1) {
    const length = answer.readInt16BE(at);
    mechanisms.push(answer.toString('utf8', at + 2, at + 2 + length));
    at += 2 + length;
  }
  return mechanisms;
}
