import type { Decoded, Decoder } from '../decoder.ts';

const NO_REJECTS: Decoded['rejects'] = [];

/** Remote write 1.0: already the form that the pipeline reads, so its bytes pass through without a copy. */
export const remoteWriteV1: Decoder = {
  name: 'remote_write_v1',
  contentTypes: ['application/x-protobuf'],
  protos: ['', 'prometheus.WriteRequest'],
  defaultContentEncoding: 'snappy',
  // As in vmagent, whose senders fall back from one to the other.
  otherContentEncodings: ['zstd'],
  decode: (body) => ({ body, passedThrough: true, rejects: NO_REJECTS }),
};
