import type { RecordHeaders } from '../record/headers.ts';
import { ProtobufReader } from '../wire/protobuf-reader.ts';
import { ArgumentReader } from './record-arguments.ts';

const reader = new ArgumentReader();

/**
 * The labels that a record's arguments add to each of its series, as text; the last of a name wins.
 * Throws PoisonError `record_arguments` if they are malformed.
 */
export function extraLabels(headers: RecordHeaders): readonly (readonly [string, string])[] {
  const { labels } = reader.read(headers);
  if (labels.length === 0) return [];
  const found = new Map<string, string>();
  const fields = new ProtobufReader(labels.bytes, 0, labels.length);
  while (fields.next()) {
    const label = fields.message();
    const parts = ['', ''];
    while (label.next()) {
      const start = label.block();
      parts[label.field - 1] = Buffer.from(labels.bytes.subarray(start, label.position)).toString();
    }
    found.set(parts[0]!, parts[1]!);
  }
  return [...found];
}
