import assert from 'node:assert/strict';
import fc from 'fast-check';
import { DEFAULT_LIMITS, type Decoder } from '../../src/core/decode/decoder.ts';
import { PoisonError } from '../../src/core/model/errors.ts';
import { readFraming } from '../../src/core/wire/write-request.ts';
import { fuzzInput } from './mutations.ts';
import type { FuzzTarget } from './targets.ts';

/** Bytes that a byte of input may become, and beside that in any case. */
const OUTPUT_FACTOR = 64;
const OUTPUT_BASE = 4096;

export interface FuzzRun {
  readonly runs: number;
  /** For the same inputs again; fast-check prints it with a failure. */
  readonly seed?: number | undefined;
}

/** What a run saw. */
export interface FuzzResult {
  readonly inputs: number;
  /** Inputs that were refused as a whole, and those of which a part was set aside. */
  readonly refused: number;
  readonly rejected: number;
}

/**
 * Feeds a decoder with inputs. It must return a WriteRequest or throw a PoisonError of stage `decode`, build no more
 * than in proportion to its input, and do the same for the same input again. Throws where it does not.
 */
export function fuzz(target: FuzzTarget, { runs, seed }: FuzzRun): FuzzResult {
  const decoder = target.create();
  let refused = 0;
  let rejected = 0;
  const property = fc.property(fuzzInput(target.seeds()), (body) => {
    const before = Buffer.from(body);
    const first = attempt(decoder, body);
    assert.deepEqual(body, before, 'the input was written to');
    if (first === undefined) refused++;
    else {
      readFraming(first.body);
      const built = first.rejects.reduce((sum, { value }) => sum + value.length, first.body.length);
      assert.ok(built <= OUTPUT_FACTOR * body.length + OUTPUT_BASE, `${built} bytes of ${body.length}`);
      if (first.rejects.length > 0) rejected++;
    }
    assert.deepEqual(attempt(decoder, body), first, 'the second time the result differs');
  });
  fc.assert(property, { numRuns: runs, ...(seed !== undefined && { seed }) });
  return { inputs: runs, refused, rejected };
}

function attempt(decoder: Decoder, body: Buffer) {
  try {
    return decoder.decode(body, { headers: {}, timestamp: 1_600_000_000_789, limits: DEFAULT_LIMITS });
  } catch (error) {
    if (error instanceof PoisonError && error.stage === 'decode') return undefined;
    throw error;
  }
}
