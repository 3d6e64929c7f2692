import { createRequire } from 'node:module';
import type * as KafkaJs from 'kafkajs';
import { withCluster } from './admin.ts';
import { filterAbortedMessages, patchBatch } from './batch.ts';
import { patchBroker } from './broker.ts';
import { patchBrokerPool } from './broker-pool.ts';
import { patchConnection, patchConnectionPool } from './connection.ts';
import { patchConsumerGroup } from './consumer-group.ts';
import { patchTransactionManager } from './coordinators.ts';
import { arrayDifference, patchCluster, patchFetches } from './fetch-plan.ts';
import { extendMetadata } from './metadata-v10.ts';
import { extendOffsetFetch } from './offset-fetch.ts';
import {
  namedFetchErrors,
  namedProduceErrors,
  namedTransactionErrors,
  separateCommitErrors,
  tolerantMetadata,
} from './partition-errors.ts';
import { createRequest, produceRequest } from './produce-request.ts';
import { crc32c } from './record-batch.ts';
import { copyRecordSet, type OriginalFormats, type ResponseFormat, releasingResponse } from './record-set.ts';
import { patchRequestQueue } from './request-queue.ts';
import { extendTxnOffsetCommit } from './txn-offset-commit.ts';

/**
 * Loads kafkajs with replacements for parts that lose, leak or repeat records, hang, or are slow
 * (docs/internals/kafkajs.md).
 *
 * kafkajs is CommonJS: what it requires comes from the module cache, so each replacement is put there first. `selfTest`
 * checks at start-up that nothing was loaded before them, and runs some of them.
 */
const require = createRequire(import.meta.url);
const EXPECTED_VERSION = '2.2.4';
/** A kafkajs module in the cache already, which would keep the original parts. The checksum's has no dependencies. */
const loadedBefore = Object.keys(require.cache).find((id) =>
  /[\\/]kafkajs[\\/]src[\\/](?!.*[\\/]crc32C[\\/])/.test(id),
);

function replace<T>(path: string, make: (original: T) => unknown): void {
  const id = require.resolve(`kafkajs/src/${path}`);
  const original = require(id) as T;
  require.cache[id]!.exports = make(original);
}

const { version } = require('kafkajs/package.json') as { version: string };
if (version !== EXPECTED_VERSION) {
  throw new Error(
    `kafkajs ${version} is installed, but Penstock's corrections are made for ${EXPECTED_VERSION}. ` +
      'Install the exact version: npm ci.',
  );
}

replace('protocol/request.js', () => createRequest);
replace('utils/arrayDiff.js', () => arrayDifference);
replace('protocol/recordBatch/crc32C/index.js', () => crc32c);
replace<Parameters<typeof produceRequest>[0]>('protocol/requests/produce/v3/request.js', (original) =>
  produceRequest(original, crc32c),
);
const formats: OriginalFormats = {
  decodeMessages: require('kafkajs/src/protocol/requests/fetch/v4/decodeMessages.js'),
  Decoder: require('kafkajs/src/protocol/decoder'),
  lookupCodec: require('kafkajs/src/protocol/message/compression').lookupCodecByAttributes,
};
replace('protocol/requests/fetch/v4/decodeMessages.js', () => copyRecordSet);
replace('consumer/filterAbortedMessages.js', () => filterAbortedMessages);
replace<Parameters<typeof patchBatch>[0]>('consumer/batch.js', (original) => patchBatch(original, formats));
// Later versions reuse `parse` of the first.
replace('protocol/requests/metadata/v0/response.js', tolerantMetadata);
replace('protocol/requests/produce/v3/response.js', namedProduceErrors);
replace('protocol/requests/addPartitionsToTxn/v0/response.js', namedTransactionErrors);
replace<Parameters<typeof extendMetadata>[0]>('protocol/requests/metadata/index.js', (original) =>
  extendMetadata(original, {
    Encoder: require('kafkajs/src/protocol/encoder'),
    Decoder: require('kafkajs/src/protocol/decoder'),
    parse: require('kafkajs/src/protocol/requests/metadata/v6/response').parse,
  }),
);
replace('protocol/requests/fetch/v0/response.js', namedFetchErrors);
replace<Parameters<typeof separateCommitErrors>[0]>(
  'protocol/requests/offsetCommit/v0/response.js',
  (original) => separateCommitErrors(original, require('kafkajs/src/protocol/error').createErrorFromCode),
);
for (const version of [4, 5, 6, 7, 8, 9, 10, 11])
  replace<ResponseFormat>(`protocol/requests/fetch/v${version}/response.js`, releasingResponse);
const protocol = {
  Encoder: require('kafkajs/src/protocol/encoder'),
  Decoder: formats.Decoder,
  createErrorFromCode: require('kafkajs/src/protocol/error').createErrorFromCode,
};
replace<Parameters<typeof extendTxnOffsetCommit>[0]>(
  'protocol/requests/txnOffsetCommit/index.js',
  (original) => extendTxnOffsetCommit(original, protocol),
);
replace<Parameters<typeof extendOffsetFetch>[0]>('protocol/requests/offsetFetch/index.js', (original) =>
  extendOffsetFetch(original, protocol),
);
replace('network/requestQueue/index.js', patchRequestQueue);
replace('network/connection.js', patchConnection);
replace<Parameters<typeof patchConnectionPool>[0]>('network/connectionPool.js', (original) =>
  patchConnectionPool(original, require('kafkajs/src/network/connection')),
);
replace('broker/index.js', patchBroker);
replace<Parameters<typeof patchBrokerPool>[0]>('cluster/brokerPool.js', (original) =>
  patchBrokerPool(original, require('kafkajs/src/utils/shuffle')),
);
replace<Parameters<typeof patchCluster>[0]>('cluster/index.js', patchCluster);
replace<Parameters<typeof patchConsumerGroup>[0]>('consumer/consumerGroup.js', (original) =>
  patchConsumerGroup(patchFetches(original as never)),
);
replace<Parameters<typeof withCluster>[0]>('admin/index.js', withCluster);
replace<Parameters<typeof patchTransactionManager>[0]>(
  'producer/eosManager/index.js',
  patchTransactionManager,
);

/** The kafkajs module, with Penstock's replacements in force. */
export const kafkajs: typeof KafkaJs = require('kafkajs');

/** kafkajs' internals, for the self-test alone. */
export const internals = {
  loadedBefore,
  Batch: require('kafkajs/src/consumer/batch') as new (
    topic: string,
    offset: string,
    data: unknown,
  ) => {
    messages: { offset: string }[];
  },
  crc32c: require('kafkajs/src/protocol/recordBatch/crc32C') as (bytes: Buffer) => number,
  requests: (
    require('kafkajs/src/protocol/requests') as {
      requests: Record<string, { versions: string[] }>;
    }
  ).requests,
};
