import { ConfigError, PoisonError } from '../model/errors.ts';
import { decompress } from './content-encoding.ts';
import type { DecodeContext, Decoded, Decoder, RecordHeaders } from './decoder.ts';
import { remoteWriteV1 } from './remote-write-v1.ts';

/** The decoders that exist, in the order in which they are asked. */
export const DECODERS: readonly Decoder[] = [remoteWriteV1];

/**
 * Finds the decoder of a record by its headers and runs it.
 *
 * `content-type` names the encoding and `content-encoding` the compression; where a header is missing, the configured
 * default and the encoding's own default hold.
 */
export class DecoderRegistry {
  readonly #byContentType = new Map<string, Decoder>();
  readonly #default: Decoder;
  /** Header values already resolved. Producers use a few, so it stays small; it is emptied where one does not. */
  readonly #resolved = new Map<string, Decoder>();

  /**
   * @param defaultEncoding name of the decoder for records without content-type; `auto` is remote write 1.0
   * @throws ConfigError if there is none of that name, or two decoders claim one content type
   */
  constructor(defaultEncoding = 'auto', decoders: readonly Decoder[] = DECODERS) {
    for (const decoder of decoders) {
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
        `ingest.encoding: no decoder ${JSON.stringify(name)}; expected auto or one of ${names}`,
      );
    }
    this.#default = found;
  }

  /** Throws PoisonError `content_type` where no decoder takes what the header names. */
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

  /** Throws PoisonError, stage `decode`, where nothing of the record can be used. */
  decode(value: Buffer, context: DecodeContext): Decoded {
    const decoder = this.decoderFor(context.headers);
    const encoding =
      headerText(context.headers, 'content-encoding').toLowerCase() || decoder.defaultContentEncoding;
    return decoder.decode(decompress(encoding, value, context.limits.record_bytes), context);
  }
}

/** A header as text, '' where it is missing. Kafka keeps the case of names, HTTP's names have none: both are found. */
export function headerText(headers: RecordHeaders, lowerCaseName: string): string {
  const value = headers[lowerCaseName] ?? otherCase(headers, lowerCaseName);
  return value === undefined ? '' : value.toString().trim();
}

function otherCase(headers: RecordHeaders, lowerCaseName: string): Buffer | string | undefined {
  for (const name in headers) {
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) return headers[name];
  }
  return undefined;
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
