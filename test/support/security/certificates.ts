/** Certificates for tests, made by openssl: an authority, a server, one that has expired, a client, and a stranger. */
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { createRunFolder } from '../../lab/cache.ts';

/** Paths of PEM files. */
export interface KeyPair {
  readonly cert: string;
  readonly key: string;
}

export interface Certificates {
  readonly folder: string;
  /** The authority that signed all of these but `strangerCa`. */
  readonly ca: string;
  /** For 127.0.0.1, localhost and kafka.test. */
  readonly server: KeyPair;
  /** As `server`, but it has expired. */
  readonly expired: KeyPair;
  readonly client: KeyPair;
  /** A client's certificate that has expired. */
  readonly expiredClient: KeyPair;
  /** An authority that has signed nothing here. */
  readonly strangerCa: string;
}

/** Validity as arguments of openssl. */
const PAST = ['-startdate', '20200101000000Z', '-enddate', '20200201000000Z'];
const NOW = ['-startdate', '20200101000000Z', '-enddate', '20990101000000Z'];
const SERVER_NAMES = 'subjectAltName=IP:127.0.0.1,DNS:localhost,DNS:kafka.test';

export function makeCertificates(): Certificates {
  const folder = createRunFolder('certificates');
  const authority = new Authority(folder, 'ca');
  const stranger = new Authority(folder, 'stranger');
  return {
    folder,
    ca: authority.cert,
    server: authority.sign('server', SERVER_NAMES, NOW),
    expired: authority.sign('expired', SERVER_NAMES, PAST),
    client: authority.sign('client', 'extendedKeyUsage=clientAuth', NOW),
    expiredClient: authority.sign('expired-client', 'extendedKeyUsage=clientAuth', PAST),
    strangerCa: stranger.cert,
  };
}

/** A PEM file as a value in a Java properties file. */
export function pemProperty(...files: string[]): string {
  return files.map((file) => readFileSync(file, 'utf8').trim().replaceAll('\n', '\\n')).join('\\n');
}

class Authority {
  readonly cert: string;
  readonly #folder: string;
  readonly #key: string;
  readonly #config: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.cert = path.join(folder, `${name}.pem`);
    this.#key = path.join(folder, `${name}.key`);
    this.#config = path.join(folder, `${name}.cnf`);
    const database = path.join(folder, `${name}.index`);
    writeFileSync(database, '');
    writeFileSync(
      this.#config,
      [
        '[ca]',
        'default_ca = own',
        '[own]',
        `database = ${database}`,
        `new_certs_dir = ${folder}`,
        'rand_serial = yes',
        'default_md = sha256',
        'policy = any',
        'unique_subject = no',
        '[any]',
        'commonName = supplied',
        '[req]',
        'distinguished_name = name',
        '[name]',
      ].join('\n'),
    );
    const subject = ['-subj', `/CN=penstock test ${name}`, '-addext', 'basicConstraints=critical,CA:TRUE'];
    openssl('req', '-x509', '-config', this.#config, ...newKey(this.#key), ...subject, '-out', this.cert);
  }

  sign(name: string, extensions: string, validity: string[]): KeyPair {
    const file = (ending: string) => path.join(this.#folder, `${name}.${ending}`);
    const [cert, key, request, extra] = [file('pem'), file('key'), file('csr'), file('ext')];
    writeFileSync(extra, `${extensions}\n`);
    openssl('req', '-new', '-config', this.#config, ...newKey(key), '-subj', `/CN=${name}`, '-out', request);
    const own = ['-config', this.#config, '-cert', this.cert, '-keyfile', this.#key];
    openssl('ca', '-batch', '-notext', ...own, ...validity, '-extfile', extra, '-in', request, '-out', cert);
    return { cert, key };
  }
}

/** Arguments for a new EC key: an RSA key takes a second on a busy machine. */
function newKey(file: string): string[] {
  return ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', file];
}

function openssl(...args: string[]): void {
  execFileSync('openssl', args, { stdio: 'pipe' });
}
