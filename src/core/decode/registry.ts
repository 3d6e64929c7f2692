import { ConfigError, PoisonError } from '../model/errors.ts';
import type { RecordHeaders } from '../record/headers.ts';
import type { DecodeOptions } from './decode-options.ts';
import type { DecodeContext, Decoded, Decoder } from './decoder.ts';
import { detectContentEncoding, detectEncoding, isConfluentFraming, isUtf16 } from './detect/detect.ts';
import { actualProtobuf, detectProtobuf, type ProtobufEncoding } from './detect/protobuf.ts';
import { jsonDecoder } from './json/json.ts';
import { OpentsdbHttpDecoder } from './json/opentsdb-http.ts';
import { VmImportDecoder } from './json/vmimport.ts';
import { otlpJsonDecoder } from './otlp/json.ts';
import { otlpDecoder } from './otlp/protobuf.ts';
import { headerText } from './record-headers.ts';
import {
  remoteWriteV1,
  VICTORIAMETRICS_VERSION_HEADER,
  victoriametricsRemoteWrite,
} from './remote-write/v1.ts';
import { remoteWriteV2 } from './remote-write/v2.ts';
import { CONFLUENT, confluentDecoder, framingOf, hasSchemaHeader } from './schema/confluent.ts';
import { mappedJsonDecoder } from './schema/mapped-json.ts';
import type { MappingOptions } from './schema/mapping.ts';
import type { SchemaId, SchemaSource } from './schema/writer-schema.ts';
import { GraphiteDecoder } from './text/graphite.ts';
import { InfluxDecoder } from './text/influx.ts';
import { OpentsdbDecoder } from './text/opentsdb.ts';
import { PrometheusTextDecoder } from './text/prometheus-text.ts';
import { bounded, type OpenContext, type Unpacked, unpack, unpackAs, withCut } from './unpack.ts';

/** Configuration of the decoders. */
export interface DecoderSetup extends DecodeOptions {
  /** Shape of Confluent's records and of JSON of any shape; absent: that of `schemas/metric-batch.*`. */
  readonly mapping?: MappingOptions | undefined;
  /** The schemas of Confluent's records; absent: no registry is configured. */
  readonly schemas?: SchemaSource | undefined;
}

/** All decoders, configured. */
export function createDecoders(options: DecoderSetup = {}): readonly Decoder[] {
  return [
    remoteWriteV1,
    remoteWriteV2,
    victoriametricsRemoteWrite,
    otlpDecoder(options.otlp),
    otlpJsonDecoder(options.otlp),
    jsonDecoder(options.json),
    confluentDecoder(options.schemas, options.mapping),
    mappedJsonDecoder(options.mapping),
    new PrometheusTextDecoder(),
    new VmImportDecoder(),
    new InfluxDecoder(options.influx),
    new GraphiteDecoder(options.graphite),
    new OpentsdbDecoder(options.opentsdb),
    new OpentsdbHttpDecoder(options.opentsdb_http),
  ];
}

/** All decoders, with the defaults of their options. */
export const DECODERS: readonly Decoder[] = createDecoders();

/**
 * Media types that several encodings share. The bytes tell them apart if nothing else does. `text/plain` with a
 * `version` is Prometheus only, `application/x-protobuf` with a `proto` is what that names.
 */
const SHARED_TYPES: Readonly<Record<string, readonly string[]>> = {
  'application/x-protobuf': ['remote_write_v1', 'remote_write_v2', 'otlp'],
  'application/json': ['json', 'otlp_json', 'opentsdb_http', 'vmimport'],
  'application/x-ndjson': ['json', 'vmimport'],
  'text/plain': ['prometheus_text', 'influx', 'graphite', 'opentsdb'],
};

/** The decoders whose bodies are protobuf messages without a header, and the message that each reads. */
const PROTOBUF: Readonly<Record<string, ProtobufEncoding>> = {
  [remoteWriteV1.name]: 'remote_write_v1',
  [victoriametricsRemoteWrite.name]: 'remote_write_v1',
  [remoteWriteV2.name]: 'remote_write_v2',
  otlp: 'otlp',
};

interface Opened extends Unpacked {
  readonly decoder: Decoder;
  /** The decoder was chosen by the bytes alone. */
  readonly isGuess?: boolean;
}

/**
 * Finds the decoder of a record and runs it. In this order:
 *
 * 1. `content-type`, if it names a single encoding.
 * 2. Without it, the header of VictoriaMetrics' remote write protocol; with `auto` also that of Confluent's schema id.
 * 3. The configured encoding, for records without `content-type`, and for a type that it shares with others.
 * 4. With `auto`, or a shared type, the bytes: see `detectEncoding`. If they fit nothing, the encoding that claims the
 *    type; without a type, remote write 1.0.
 *
 * `content-encoding` names the compression. Without it the encoding's default applies, and in the 4th case what the
 * bytes say: see `detectContentEncoding`. Bytes that clearly contradict it win: see `decompress`. So they do if the
 * record is declared as one protobuf message and is another: see `actualProtobuf`.
 */
export class DecoderRegistry {
  readonly #byContentType = new Map<string, Decoder>();
  readonly #byName = new Map<string, Decoder>();
  readonly #default: Decoder;
  readonly #isAuto: boolean;
  /** Values of content-type already resolved. Producers use a few; it is cleared before it grows beyond 100. */
  readonly #resolved = new Map<string, Decoder>();

  /**
   * @param defaultEncoding name of the decoder for records without content-type; `auto` looks at the bytes
   * @throws ConfigError if there is none of that name, or two decoders claim one content type
   */
  constructor(defaultEncoding = 'auto', decoders: readonly Decoder[] = DECODERS) {
    this.#isAuto = defaultEncoding === 'auto';
    for (const decoder of decoders) {
      this.#byName.set(decoder.name, decoder);
      for (const type of decoder.contentTypes) {
        for (const proto of decoder.protos ?? ['']) {
          const key = contentTypeKey(type, proto);
          const other = this.#byContentType.get(key);
          if (other) throw new ConfigError(`decoders ${other.name} and ${decoder.name} both claim ${key}`);
          this.#byContentType.set(key, decoder);
        }
      }
    }
    const name = defaultEncoding === 'auto' ? remoteWriteV1.name : defaultEncoding;
    const found = decoders.find((decoder) => decoder.name === name);
    if (!found) {
      const names = decoders.map((decoder) => decoder.name).join(', ');
      throw new ConfigError(
        `worker.encoding: no decoder ${JSON.stringify(name)}; expected auto or one of ${names}`,
      );
    }
    this.#default = found;
  }

  /** Throws PoisonError `content_type` if no decoder takes the type that the header names. */
  decoderFor(headers: RecordHeaders): Decoder {
    const contentType = headerText(headers, 'content-type');
    if (contentType === '') return this.#default;
    const known = this.#resolved.get(contentType);
    if (known) return known;
    const decoder = this.#byContentType.get(parseContentType(contentType));
    if (!decoder) {
      throw new PoisonError(
        'decode',
        'content_type',
        `content-type ${JSON.stringify(contentType)} is not known; expected one of ${[...this.#byContentType.keys()].join(', ')}`,
      );
    }
    if (this.#resolved.size >= 100) this.#resolved.clear();
    this.#resolved.set(contentType, decoder);
    return decoder;
  }

  /** Name of the decoder that `decode` gives the record to. Throws PoisonError as `decode` does before it decodes. */
  encodingOf(value: Buffer, context: OpenContext): string {
    return this.#open(value, bounded(value, context)).decoder.name;
  }

  /** Throws PoisonError, stage `decode`, if nothing of the record can be used. */
  decode(value: Buffer, unbounded: DecodeContext): Decoded {
    const context = bounded(value, unbounded);
    return decodeOpened(this.#open(value, context), context);
  }

  /** `decode` in two steps, for callers that need the encoding even of a broken record. Both throw as `decode` does. */
  find(value: Buffer, unbounded: DecodeContext): { readonly encoding: string; decode(): Decoded } {
    const context = bounded(value, unbounded);
    const opened = this.#open(value, context);
    return { encoding: opened.decoder.name, decode: () => decodeOpened(opened, context) };
  }

  /**
   * The id of the schema that the record will be decoded with; undefined if it needs none, or is broken.
   *
   * Called before decoding, since schemas are fetched first. A compressed record that may be Confluent's is
   * decompressed twice.
   */
  schemaId(value: Buffer, unbounded: OpenContext): SchemaId | undefined {
    const context = bounded(value, unbounded);
    const contentType = headerText(context.headers, 'content-type');
    const contentEncoding = headerText(context.headers, 'content-encoding').toLowerCase();
    try {
      const named = this.#named(contentType, context.headers);
      if (named ? named.name !== CONFLUENT : contentType !== '') return undefined;
      const found = detectContentEncoding(value);
      if (found === 'identity' && NO_COMPRESSION.includes(contentEncoding))
        return framingOf(value, context.headers)?.id;
      if (!named && contentEncoding === '' && found === 'snappy') return undefined;
      const { body, cutOff } = named
        ? unpackAs(contentEncoding, named, value, context)
        : unpack(contentEncoding || found, value, context);
      const isConfluent = cutOff === undefined && (named !== undefined || isConfluentFraming(body));
      return isConfluent ? framingOf(body, context.headers)?.id : undefined;
    } catch (error) {
      if (error instanceof PoisonError) return undefined;
      throw error;
    }
  }

  /** The record's decoder, and its bytes uncompressed. */
  #open(value: Buffer, context: OpenContext): Opened {
    const opened = this.#find(value, context);
    if (opened.cutOff !== undefined && (opened.decoder.name !== STREAMED || opened.body.length === 0))
      throw opened.cutOff.error;
    return opened;
  }

  #find(value: Buffer, context: OpenContext): Opened {
    const { headers } = context;
    const contentType = headerText(headers, 'content-type');
    const contentEncoding = headerText(headers, 'content-encoding').toLowerCase();
    const named = this.#named(contentType, headers);
    if (named) {
      const unpacked = unpackAs(contentEncoding, named, value, context);
      return { ...unpacked, decoder: this.#actual(named, unpacked.body, context) };
    }
    const detected = contentEncoding || detectContentEncoding(value);
    const unpacked = unpack(detected, value, context);
    const { body } = unpacked;
    // A protobuf tag made it look like snappy, so only protobuf is tried: a very short body might pass as text.
    const found =
      contentEncoding === '' && detected === 'snappy' ? detectProtobuf(body) : detectEncoding(body);
    const decoder = this.#sharing(found, contentType);
    if (decoder) return { ...unpacked, decoder, isGuess: true };
    if (contentType === '' && isUtf16(body)) throw utf16();
    const claimant = this.decoderFor(headers);
    if (contentEncoding !== '' || detected !== 'identity')
      return { ...unpacked, decoder: this.#actual(claimant, body, context) };
    const again = unpackAs('', claimant, value, context);
    return { ...again, decoder: this.#actual(claimant, again.body, context) };
  }

  /** The decoder of the protobuf message that the body really is, whatever it is declared as. */
  #actual(declared: Decoder, body: Buffer, { budget }: OpenContext): Decoder {
    const message = PROTOBUF[declared.name];
    if (message === undefined) return declared;
    const actual = actualProtobuf(message, body, budget);
    return actual === message ? declared : (this.#byName.get(actual) ?? declared);
  }

  /** The decoder that the headers and the configuration name, if they do. */
  #named(contentType: string, headers: RecordHeaders): Decoder | undefined {
    if (contentType === '') {
      const victoriametrics = this.#byName.get(victoriametricsRemoteWrite.name);
      if (victoriametrics && headerText(headers, VICTORIAMETRICS_VERSION_HEADER) !== '')
        return victoriametrics;
      if (this.#isAuto && hasSchemaHeader(headers)) return this.#byName.get(CONFLUENT);
      return this.#isAuto ? undefined : this.#default;
    }
    const sharers = sharersOf(contentType);
    if (!sharers) return this.decoderFor(headers);
    return !this.#isAuto && sharers.includes(this.#default.name) ? this.#default : undefined;
  }

  /** The decoder detected from the bytes, if it is one of those that share the content type. */
  #sharing(name: string | undefined, contentType: string): Decoder | undefined {
    if (name === undefined) return undefined;
    if (contentType !== '' && !sharersOf(contentType)?.includes(name)) return undefined;
    return this.#byName.get(name);
  }
}

function utf16(): PoisonError {
  return new PoisonError('decode', 'utf16', 'the record is text in UTF-16, and every text encoding is UTF-8');
}

function decodeOpened(opened: Opened, context: DecodeContext): Decoded {
  const { decoder, body, isGuess } = opened;
  const decoded = decoder.decode(body, isGuess ? { ...context, isGuess } : context);
  return opened.cutOff === undefined ? decoded : withCut(decoded, decoder, opened.cutOff);
}

/** The encoding whose clients send `Stream-Mode: 1` and expect complete lines to count if the rest is missing. */
const STREAMED = 'influx';
/** Values of content-encoding that mean no compression. */
const NO_COMPRESSION: readonly string[] = ['', 'identity', 'none'];

function sharersOf(contentType: string): readonly string[] | undefined {
  if (/;\s*version\s*=/i.test(contentType)) return undefined;
  const key = parseContentType(contentType);
  return Object.hasOwn(SHARED_TYPES, key) ? SHARED_TYPES[key] : undefined;
}

function contentTypeKey(type: string, proto: string): string {
  return proto === '' ? type : `${type};proto=${proto}`;
}

/** `application/x-protobuf; charset=utf-8; proto="x.Y"` ▸ `application/x-protobuf;proto=x.Y`. */
function parseContentType(header: string): string {
  const [type = '', ...parameters] = header.split(';').map((part) => part.trim());
  let proto = '';
  for (const parameter of parameters) {
    const [name = '', value = ''] = parameter.split('=', 2);
    if (name.trim().toLowerCase() === 'proto') proto = value.trim().replace(/^"(.*)"$/, '$1');
  }
  return contentTypeKey(type.toLowerCase(), proto);
}
