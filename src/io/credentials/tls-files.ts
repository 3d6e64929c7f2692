import { readFileSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import type { TlsSettings } from '../../core/options/tls.ts';

const FILES = { ca_file: 'ca', cert_file: 'cert', key_file: 'key' } as const;

interface Pem {
  ca?: string;
  cert?: string;
  key?: string;
}

/** Options of `tls.connect`. */
export interface TlsConnection extends Pem {
  servername?: string;
  rejectUnauthorized: boolean;
}

/**
 * TLS settings whose PEM files may be renewed while the process runs: each new connection reads them again.
 */
export class TlsFiles {
  readonly #settings: TlsSettings;
  readonly #section: string;
  #pem: Pem;

  /**
   * @param section path of the settings, for messages: `kafka.tls`
   * @throws ConfigError when a file cannot be read or is not PEM, or when certificate and key do not match
   */
  constructor(settings: TlsSettings, section: string) {
    this.#settings = settings;
    this.#section = section;
    this.#pem = this.#read();
  }

  /** Options for `tls.connect`. While the files are only half replaced, the last valid ones. */
  current(): TlsConnection {
    try {
      this.#pem = this.#read();
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
    }
    const { server_name, insecure_skip_verify } = this.#settings;
    return {
      ...this.#pem,
      ...(server_name === undefined ? {} : { servername: server_name }),
      rejectUnauthorized: !insecure_skip_verify,
    };
  }

  #read(): Pem {
    const pem: Pem = {};
    for (const [key, option] of Object.entries(FILES) as [keyof typeof FILES, keyof Pem][]) {
      const file = this.#settings[key];
      if (file === undefined) continue;
      try {
        pem[option] = readFileSync(file, 'utf8');
      } catch (error) {
        throw new ConfigError(`${this.#section}.${key}: ${file} cannot be read: ${errorMessage(error)}`);
      }
    }
    for (const key of ['ca', 'cert', 'key'] as const) {
      const text = pem[key];
      if (text === undefined || text.includes('-----BEGIN ')) continue;
      throw new ConfigError(`${this.#section}.${key}_file: the file holds no PEM; expected -----BEGIN …`);
    }
    try {
      createSecureContext(pem);
    } catch (error) {
      const expected = 'expected PEM files, and a certificate with the key that belongs to it';
      throw new ConfigError(`${this.#section}: ${errorMessage(error)}; ${expected}`);
    }
    return pem;
  }
}
