import * as z from 'zod';
import { host } from './address.ts';
import { filePath } from './types.ts';

/** The TLS peer, as the descriptions of the keys name it. */
export interface TlsPeer {
  /** `the brokers'`. */
  readonly whose: string;
  /** Name that is checked when `server_name` is absent. */
  readonly hostName: string;
}

/** The keys of every `tls` section. The files are read again at each connection, so certificates may be renewed. */
export function tlsKeys({ whose, hostName }: TlsPeer) {
  return {
    ca_file: filePath()
      .optional()
      .describe(`PEM file of the authorities that signed ${whose} certificates; absent: the system's.`),
    cert_file: filePath().optional().describe('PEM file of the client certificate; needs key_file.'),
    key_file: filePath().optional().describe('PEM file of the private key of cert_file.'),
    server_name: host()
      .optional()
      .describe(`Name to look for in ${whose} certificates; absent: ${hostName}.`),
    insecure_skip_verify: z
      .boolean()
      .default(false)
      .describe('Accept any certificate. Only for tests: anyone between may read and change everything.'),
  };
}

/** A parsed `tls` section. */
export interface TlsSettings {
  readonly ca_file?: string | undefined;
  readonly cert_file?: string | undefined;
  readonly key_file?: string | undefined;
  readonly server_name?: string | undefined;
  readonly insecure_skip_verify: boolean;
}

/** Reports a certificate without its key, and a key without its certificate. */
export function refuseHalfPair(options: TlsSettings, refuse: (key: string, message: string) => void): void {
  if (options.cert_file !== undefined && options.key_file === undefined) {
    refuse('cert_file', 'a certificate without its key; expected key_file beside it');
  }
  if (options.key_file !== undefined && options.cert_file === undefined) {
    refuse('key_file', 'a key without its certificate; expected cert_file beside it');
  }
}
