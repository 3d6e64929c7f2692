import { deflateSync, gzipSync, zstdCompressSync } from 'node:zlib';
import type { Decoder } from '../../src/core/decode/decoder.ts';
import { createDecoders, DecoderRegistry } from '../../src/core/decode/registry.ts';
import { Pipeline } from '../../src/core/pipeline/pipeline.ts';
import type { RecordHeaders } from '../../src/core/record/headers.ts';
import { compress, uncompress } from '../../src/core/wire/snappy.ts';
import { PASS_ROUTE } from '../support/pass-route.ts';
import { vectorBodies } from './binary-seeds.ts';

const V1 = 'application/x-protobuf;proto=prometheus.WriteRequest';

/**
 * Remote write 1.0 passes its decoder as it is: it is the pipeline that reads it, so the pipeline is fuzzed. What goes
 * on to the task topic is the body, dead letters are the rejects.
 */
function pipeline(headers: RecordHeaders): Decoder {
  const registry = new DecoderRegistry('auto', createDecoders());
  return {
    name: 'pipeline',
    contentTypes: [],
    defaultContentEncoding: '',
    decode: (value, { timestamp, limits }) => {
      const step = new Pipeline({
        routes: [PASS_ROUTE],
        cacheBytes: 64 * 1024,
        slabBytes: 16 * 1024,
        hashSeed: 1,
        maxRecordBytes: () => 1_000_000,
        decoders: () => registry,
        limits,
      }).begin('raw');
      step.process({ topic: 'raw', partition: 0, offset: 0n, timestamp, value, headers });
      const { records, dead } = step.finish();
      return {
        body: Buffer.concat(records.map((record) => uncompress(record.value, 16 * 1024 * 1024))),
        rejects: dead.map(({ reason, message, value: part }) => ({
          reason,
          message,
          value: part ?? Buffer.alloc(0),
          contentType: '',
        })),
      };
    },
  };
}

const requests = () => vectorBodies('ingest-remote-write-v1.json');

export const pipelineTargets = [
  {
    name: 'remote_write_v1',
    create: () => pipeline({ 'content-type': V1, 'content-encoding': 'identity' }),
    seeds: requests,
  },
  {
    name: 'compressed',
    create: () => pipeline({}),
    seeds: () =>
      requests().flatMap((body) => [
        compress(body),
        zstdCompressSync(body),
        gzipSync(body),
        deflateSync(body),
      ]),
  },
];
