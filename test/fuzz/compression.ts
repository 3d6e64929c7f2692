import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import { compress } from '../../src/core/wire/snappy.ts';
import type { Random } from '../lab/random.ts';
import type { Repetition } from './expensive.ts';

const METHODS = {
  snappy: (bytes: Buffer) => compress(bytes),
  zstd: (bytes: Buffer) => zstdCompressSync(bytes),
  gzip: (bytes: Buffer) => gzipSync(bytes, { level: 1 }),
  deflate: (bytes: Buffer) => deflateSync(bytes, { level: 1 }),
  identity: (bytes: Buffer) => bytes,
} as const;

export type Method = keyof typeof METHODS;
export const METHOD_NAMES = Object.keys(METHODS) as Method[];

export interface Compressed {
  readonly value: Buffer;
  readonly method: Method;
}

/** A frame that decoders of zstd pass over (RFC 8878, section 3.1.2). */
function skippable(random: Random): Buffer {
  const content = random.bytes(random.size(200));
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0x184d2a50 + random.below(16));
  head.writeUInt32LE(random.chance(8) ? random.next() : content.length, 4);
  return Buffer.concat([head, content]);
}

/** Compressed in one or several frames, with frames between, cut off, or with something behind. */
export function compressed(random: Random, body: Buffer): Compressed {
  const method = random.pick(METHOD_NAMES);
  const work = METHODS[method];
  let parts: Buffer[];
  if (random.chance(3)) {
    const middle = random.below(body.length + 1);
    parts = [work(body.subarray(0, middle)), work(body.subarray(middle))];
    if (method === 'zstd' && random.chance(2)) parts.splice(random.below(3), 0, skippable(random));
  } else parts = [work(body)];
  if (random.chance(10)) parts.push(random.bytes(random.size(50)));
  if (random.chance(20)) parts.push(METHODS[random.pick(METHOD_NAMES)](body));
  let value = parts.length === 1 ? parts[0]! : Buffer.concat(parts);
  if (random.chance(10)) value = value.subarray(0, random.below(value.length + 1));
  if (random.chance(10) && value.length > 0) value[random.below(value.length)] = random.below(256);
  if (random.chance(30)) value = work(value);
  return { value, method };
}

const PIECE = 1024 * 1024;

/**
 * A body that becomes up to `mebibytes` MiB from little: written piece by piece, so that making it takes no memory that
 * the oracle of memory would see.
 */
export function bomb(random: Random, { open, unit, close }: Repetition, mebibytes: number): Compressed {
  const method = random.pick(['zstd', 'gzip', 'snappy'] as const);
  if (method === 'snappy') return { value: snappyBomb(open, unit, close, mebibytes * PIECE), method };
  const whole = Math.max(1, Math.floor(PIECE / unit.length));
  const piece = METHODS[method](Buffer.alloc(whole * unit.length, unit));
  const parts = [METHODS[method](open), ...Array<Buffer>(mebibytes).fill(piece), METHODS[method](close)];
  return { value: Buffer.concat(parts), method };
}

/** Snappy's block format, written by hand: the unit once, then copies of it (google/snappy, format_description.txt). */
function snappyBomb(open: Buffer, unit: Buffer, close: Buffer, bytes: number): Buffer {
  const copies = Math.min(Math.floor(bytes / 64), 300_000);
  const length = open.length + unit.length + copies * 64 + close.length;
  const head: number[] = [];
  for (let left = length; ; left = Math.floor(left / 128)) {
    if (left < 128) {
      head.push(left);
      break;
    }
    head.push((left % 128) | 0x80);
  }
  const copy = Buffer.from([(63 << 2) | 2, unit.length & 0xff, unit.length >> 8]);
  return Buffer.concat([
    Buffer.from(head),
    literal(Buffer.concat([open, unit])),
    Buffer.alloc(copies * 3, copy),
    literal(close),
  ]);
}

function literal(bytes: Buffer): Buffer {
  if (bytes.length === 0) return bytes;
  const length = bytes.length - 1;
  return Buffer.concat([Buffer.from([(61 << 2) | 0, length & 0xff, length >> 8]), bytes]);
}
