import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { DecoderRegistry } from '../../src/core/decode/registry.ts';
import { METRIC_BATCH } from '../../src/core/decode/schema/mapping.ts';
import { topicDecoders } from '../../src/core/decode/topic-decoders.ts';
import type { RecordHeaders } from '../../src/core/record/headers.ts';
import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import type { RegisteredSchema } from '../../src/io/registry/answer.ts';
import { ROOT } from '../lab/cache.ts';
import { compile, frame, schemaSource } from '../support/schemas.ts';
import type { Case } from './table.ts';

/** The time of records that the case gives none. */
export const RECORD_TIME = 1_764_000_000_000;

const SCHEMA_ID = 7;
const INPUTS = path.join(ROOT, 'test/cases/inputs');

/** The folders of all cases. */
export function caseFolders(): string[] {
  return readdirSync(INPUTS);
}

/** The record of a case, as a worker gets it, and the decoders of its topic. */
export async function caseRecord(each: Case): Promise<{ record: FetchedRecord; decoders: DecoderRegistry }> {
  const value = contentOf(each.id, each.value);
  const { schema, encoding = 'auto', mapping } = each;
  const schemas = schema && schemaSource({ [SCHEMA_ID]: await compiled(each.id, schema) });
  const topic = { topic: 'raw', encoding, schemas, mapping: { ...METRIC_BATCH, ...mapping } };
  const timestamp = read(each.id, 'timestamp.txt');
  return {
    decoders: topicDecoders([topic])('raw'),
    record: {
      topic: 'raw',
      partition: 0,
      offset: 0n,
      key: null,
      timestamp: timestamp === undefined ? RECORD_TIME : Number(timestamp),
      headers: headersOf(each),
      value: schema === undefined ? value : frame(SCHEMA_ID, value),
    },
  };
}

/** The path of a case's file. */
export function casePath(id: string, file: string): string {
  return path.join(INPUTS, id, file);
}

function read(id: string, file: string): string | undefined {
  return existsSync(casePath(id, file)) ? readFileSync(casePath(id, file), 'utf8') : undefined;
}

function contentOf(id: string, file: string): Buffer {
  const bytes = readFileSync(casePath(id, file));
  return file.endsWith('.hex') ? Buffer.from(bytes.toString().trim(), 'hex') : bytes;
}

/** In an object without a prototype, as Kafka's are: see `RecordHeaders`. */
function headersOf({ id, headers }: Case): RecordHeaders {
  const found: Record<string, Buffer | null> = Object.create(null);
  const json = read(id, 'headers.json');
  if (json !== undefined) {
    const parsed = JSON.parse(json) as Record<string, string | null>;
    for (const [name, value] of Object.entries(parsed))
      found[name] = value === null ? null : Buffer.from(value);
  }
  for (const line of (read(id, headers ?? 'headers.txt') ?? '').split('\n')) {
    const [, name, value = ''] = /^([^:]+): *(.*)$/.exec(line) ?? [];
    if (name !== undefined) found[name] = Buffer.from(value);
  }
  return found;
}

/** The schema of a case, with what it refers to under the paths of a registry. */
async function compiled(id: string, schemaType: string) {
  const text = read(id, schemaType === 'AVRO' ? 'schema.avsc' : 'schema.json') ?? '';
  const references = JSON.parse(read(id, 'references.json') ?? '[]') as {
    name: string;
    subject: string;
    version: number;
  }[];
  const others: Record<string, RegisteredSchema> = {
    '/schemas/ids/1': { schemaType, schema: text, ...{ references } },
  };
  for (const { name, subject, version } of references)
    others[`/subjects/${subject}/versions/${version}`] = { schemaType, schema: read(id, name) ?? '' };
  return await compile(schemaType, text, others);
}
