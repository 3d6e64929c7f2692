import { isUtf8 } from 'node:buffer';
import { PoisonError } from '../model/errors.ts';
import type { RecordHeaders } from '../record/headers.ts';
import { HEADER } from '../record/headers.ts';
import { LabelFields } from '../wire/label-fields.ts';
import { headerText } from './record-headers.ts';

/** Arguments may add labels to every series, so they are kept small. */
const MAX_HEADER_BYTES = 8192;

/** Arguments that vmagent would read from the URL of a request. */
export interface RecordArguments {
  /** Labels for every series of the record: from the path, then each `extra_label`. */
  readonly labels: LabelFields;
  readonly precision: string | undefined;
  readonly db: string;
  /** Time of samples that carry none, in ms; undefined leaves the record's own. */
  readonly timestamp: number | undefined;
}

const NONE: RecordArguments = {
  labels: new LabelFields(),
  precision: undefined,
  db: '',
  timestamp: undefined,
};

/** Reads the arguments of records, and caches the last ones, since producers repeat them. */
export class ArgumentReader {
  #query = '';
  #path = '';
  #last = NONE;

  /** Throws PoisonError `record_arguments` if they are malformed. */
  read(headers: RecordHeaders): RecordArguments {
    const query = headerText(headers, HEADER.query);
    const path = headerText(headers, HEADER.path);
    if (query === this.#query && path === this.#path) return this.#last;
    this.#last = parseArguments(query, path);
    this.#query = query;
    this.#path = path;
    return this.#last;
  }
}

function parseArguments(query: string, path: string): RecordArguments {
  if (Buffer.byteLength(query) + Buffer.byteLength(path) > MAX_HEADER_BYTES) {
    throw malformed(`${HEADER.query} and ${HEADER.path} are longer than ${MAX_HEADER_BYTES} bytes`);
  }
  refuseBrokenText(query, path);
  const args = new URLSearchParams(query);
  // The last one of a name wins, as in vmagent: two labels of one name would have every series set aside.
  const found = new Map(pathLabels(path));
  for (const label of args.getAll('extra_label')) {
    const equals = label.indexOf('=');
    if (equals < 0) throw malformed(`extra_label=${JSON.stringify(label)} is not of the form name=value`);
    found.set(label.slice(0, equals), Buffer.from(label.slice(equals + 1)));
  }
  const labels = new LabelFields();
  for (const [name, value] of found) labels.add(Buffer.from(name), value);
  return {
    labels,
    precision: args.get('precision') ?? undefined,
    db: args.get('db') ?? '',
    timestamp: parseTimestamp(args.get('timestamp') ?? ''),
  };
}

/** Refuses what URLSearchParams and Buffer accept silently: invalid escapes, and bytes that are not UTF-8. */
function refuseBrokenText(query: string, path: string): void {
  const [broken] = /%(?![0-9a-fA-F]{2}).{0,2}/s.exec(query) ?? [];
  if (broken !== undefined) {
    throw malformed(
      `${HEADER.query} has ${JSON.stringify(broken)}, which is no escape; write %25 for a percent sign`,
    );
  }
  // Such bytes are U+FFFD in the text.
  if (
    path.includes('\ufffd') ||
    [...new URLSearchParams(query)].flat().some((text) => text.includes('\ufffd'))
  ) {
    throw malformed(`${HEADER.query} or ${HEADER.path} has bytes that are not UTF-8`);
  }
}

function parseTimestamp(text: string): number | undefined {
  if (text === '') return undefined;
  const timestamp = Number(text);
  if (!/^-?\d+$/.test(text) || !Number.isSafeInteger(timestamp)) {
    throw malformed(`timestamp=${JSON.stringify(text)} is not a whole number of milliseconds`);
  }
  return timestamp > 0 ? timestamp : undefined;
}

/** `/metrics/job/a/instance/b` ▸ job a, instance b (github.com/prometheus/pushgateway, "URL"). Empty values are left out. */
function pathLabels(path: string): [string, Buffer][] {
  const at = path.indexOf('/metrics/job');
  if (at < 0) return [];
  const rest = path.slice(at + '/metrics/'.length);
  if (!rest.startsWith('job/') && !rest.startsWith('job@base64/')) return [];
  const parts = rest.split('/');
  const labels: [string, Buffer][] = [];
  for (let i = 0; i < parts.length && !(i === parts.length - 1 && parts[i] === ''); i += 2) {
    const name = parts[i]!;
    const value = parts[i + 1];
    if (value === undefined) {
      throw malformed(
        `${HEADER.path} ${JSON.stringify(path)} has no value for label ${JSON.stringify(name)}`,
      );
    }
    if (value === '') continue;
    if (name.endsWith('@base64')) {
      if (!/^[A-Za-z0-9_-]*=*$/.test(value)) {
        throw malformed(`${HEADER.path}: ${JSON.stringify(value)} is not base64url`);
      }
      const decoded = Buffer.from(value, 'base64url');
      if (!isUtf8(decoded))
        throw malformed(`${HEADER.path}: ${JSON.stringify(value)} is not the base64 of UTF-8`);
      labels.push([name.slice(0, -'@base64'.length), decoded]);
    } else {
      labels.push([name, Buffer.from(value)]);
    }
  }
  return labels;
}

function malformed(what: string): PoisonError {
  return new PoisonError('decode', 'record_arguments', what);
}
