import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/**
 * CRC-32C of a record batch: native, where there is a binary of `@node-rs/crc32` for this platform, else
 * kafkajs' own, which takes some eleven times as long (docs/internals/measurements.md).
 */
export const crc32c: (bytes: Buffer) => number = load();

function load(): (bytes: Buffer) => number {
  const original = require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number;
  try {
    const native = require('@node-rs/crc32') as { crc32c(bytes: Buffer): number };
    return (bytes) => native.crc32c(bytes) >>> 0;
  } catch {
    return original;
  }
}
