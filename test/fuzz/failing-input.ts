import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { FetchedRecord } from '../../src/io/kafka/partition-queue.ts';
import { cpuOf, MOST_MS } from './cost.ts';
import { createReaders, type Reader } from './readers.ts';
import { recordInput } from './record-inputs.ts';
import type { Failure } from './record-run.ts';
import { FUZZ_FOLDER } from './shards.ts';

/** Attempts to make a failing input smaller. */
const MOST_ATTEMPTS = 300;

/** Writes a failing input to `.cache/fuzz`, as small as it can be made while it still fails; where it is written. */
export function keepInput(seed: number, { index, reader: name, what }: Failure): string {
  const reader = createReaders().find((each) => each.name === name);
  // What ended a process, or took its memory, is not tried again in this one.
  const mayTry = reader !== undefined && !/memory/.test(what);
  const record = recordInput(seed, index);
  const smallest = mayTry ? shrink(record, reader) : record;
  mkdirSync(FUZZ_FOLDER, { recursive: true });
  const file = path.join(FUZZ_FOLDER, `${seed}-${index}`);
  writeFileSync(`${file}.bin`, smallest.value ?? Buffer.alloc(0));
  const headers = Object.entries(smallest.headers).map(([header, value]) => [
    header,
    value?.toString() ?? null,
  ]);
  const { timestamp } = smallest;
  writeFileSync(`${file}.json`, `${JSON.stringify({ reader: name, what, timestamp, headers }, null, 2)}\n`);
  return `${file}.bin`;
}

/** Without headers and parts of the value that the failure does not need (ddmin, Zeller and Hildebrandt 2002). */
function shrink(record: FetchedRecord, reader: Reader): FetchedRecord {
  let smallest = record;
  let attempts = 0;
  const keepIfFailing = (candidate: FetchedRecord): boolean => {
    if (++attempts > MOST_ATTEMPTS || !fails(candidate, reader)) return false;
    smallest = candidate;
    return true;
  };
  for (const name of Object.keys(record.headers)) {
    const headers: Record<string, Buffer | string | null | undefined> = Object.create(null);
    for (const [other, value] of Object.entries(smallest.headers)) if (other !== name) headers[other] = value;
    keepIfFailing({ ...smallest, headers });
  }
  for (let parts = 2; attempts <= MOST_ATTEMPTS; parts *= 2) {
    const size = Math.ceil((smallest.value?.length ?? 0) / parts);
    if (size < 1) break;
    for (let at = 0; at < (smallest.value?.length ?? 0) && attempts <= MOST_ATTEMPTS; ) {
      const value = smallest.value!;
      const without = Buffer.concat([value.subarray(0, at), value.subarray(at + size)]);
      if (!keepIfFailing({ ...smallest, value: without })) at += size;
    }
    if (size === 1) break;
  }
  return smallest;
}

function fails(record: FetchedRecord, reader: Reader): boolean {
  try {
    return cpuOf(() => void reader.read(record)) > MOST_MS;
  } catch {
    return true;
  }
}
