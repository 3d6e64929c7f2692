import type { Decoder } from '../decoder.ts';
import { remoteWriteV1 } from './v1.ts';

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
