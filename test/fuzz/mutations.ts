import fc from 'fast-check';
import { mutatedJson } from './json-mutations.ts';

/** One change to a valid input; positions are fractions of its length, so that they fit every input. */
export type Change =
  | { readonly kind: 'set' | 'insert'; readonly at: number; readonly bytes: Uint8Array }
  | { readonly kind: 'delete' | 'repeat'; readonly at: number; readonly length: number }
  | { readonly kind: 'splice'; readonly at: number; readonly other: number; readonly from: number };

const at = fc.double({ min: 0, max: 1, noNaN: true });

/** Bytes that formats give a meaning, more often than any others. */
const telling = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(...Buffer.from('{}[]"\\,:;= \t\n\r#+-.e0129')) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 255 }) },
);
const bytes = fc.array(telling, { minLength: 1, maxLength: 8 }).map((list) => Uint8Array.from(list));
const length = fc.integer({ min: 1, max: 64 });

const change: fc.Arbitrary<Change> = fc.oneof(
  fc.record({ kind: fc.constantFrom('set' as const, 'insert' as const), at, bytes }),
  fc.record({ kind: fc.constantFrom('delete' as const, 'repeat' as const), at, length }),
  fc.record({ kind: fc.constant('splice' as const), at, other: fc.nat(), from: at }),
);

/** Arbitrary bytes, and valid inputs with a few changes, of their bytes and where they are JSON of their values. */
export function fuzzInput(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> {
  const arbitrary = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
  const textLike = fc.array(telling, { maxLength: 200 }).map((list) => Buffer.from(list));
  const mutated = fc
    .record({ seed: fc.nat(), changes: fc.array(change, { maxLength: 6 }) })
    .map(({ seed, changes }) =>
      changes.reduce((body, each) => applyChange(body, each, seeds), seeds[seed % seeds.length]!),
    );
  const json = mutatedJson(seeds);
  return fc.oneof(
    { weight: 2, arbitrary },
    { weight: 1, arbitrary: textLike },
    { weight: 7, arbitrary: mutated },
    ...(json === undefined ? [] : [{ weight: 5, arbitrary: json }]),
  );
}

export function applyChange(body: Buffer, step: Change, seeds: readonly Buffer[]): Buffer {
  const position = Math.floor(step.at * body.length);
  const head = body.subarray(0, position);
  const tail = body.subarray(position);
  switch (step.kind) {
    case 'set':
      return Buffer.concat([head, step.bytes, tail.subarray(step.bytes.length)]);
    case 'insert':
      return Buffer.concat([head, step.bytes, tail]);
    case 'delete':
      return Buffer.concat([head, tail.subarray(step.length)]);
    case 'repeat':
      return Buffer.concat([head, tail.subarray(0, step.length), tail]);
    case 'splice': {
      const other = seeds[step.other % seeds.length]!;
      return Buffer.concat([head, other.subarray(Math.floor(step.from * other.length))]);
    }
  }
}
