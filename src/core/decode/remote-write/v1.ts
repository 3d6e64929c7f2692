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

/** The header of VictoriaMetrics' own remote write protocol, which its senders set beside that of Prometheus. */
export const VICTORIAMETRICS_VERSION_HEADER = 'x-victoriametrics-remote-write-version';

/**
 * VictoriaMetrics' remote write (docs.victoriametrics.com/victoriametrics/vmagent, "VictoriaMetrics remote write
 * protocol"): a remote write 1.0 WriteRequest in zstd instead of snappy. It shares 1.0's content type, so it is chosen
 * by the configuration, or for records with only the protocol's header.
 */
export const victoriametricsRemoteWrite: Decoder = {
  name: 'victoriametrics_remote_write',
  contentTypes: [],
  defaultContentEncoding: 'zstd',
  otherContentEncodings: ['snappy'],
  decode: remoteWriteV1.decode,
};
