import { PoisonError } from '../../model/errors.ts';
import type { Reject } from '../decoder.ts';
import type { RecordBudget } from '../record-budget.ts';
import { GATHERED_BYTES, quote, SINGLE_REJECTS } from '../rejects.ts';
import { plainMeaning } from './known-messages.ts';

/** Content type of mapped series that are set aside: JSON with the fields of the original, one series or a list. */
export const MAPPED_JSON = 'application/vnd.penstock.mapped+json';

/** Deepest nesting of a series that is set aside; serializing more would overflow the stack. */
const MAX_NESTING = 500;
/** Most characters of JSON of all series that are set aside from one record. */
const MOST_CHARACTERS = 32 * 1024 * 1024;
/** Characters of JSON written per unit of a record's budget. */
const CHARACTERS_A_UNIT = 32;

/** Collects series that a mapping could not use. They have no bytes of their own in the record, so they become JSON. */
export class MappedRejects {
  readonly #single: Reject[] = [];
  readonly #further: Further[] = [];
  readonly #budget: RecordBudget | undefined;
  #characters = 0;

  constructor(budget?: RecordBudget) {
    this.#budget = budget;
  }

  /**
   * Throws PoisonError, which refuses the whole record: `nesting` if the series nests too deep to be serialized,
   * `too_many_faults` if there are too many, or they are too large.
   */
  add(element: unknown, index: number, reason: string, fault: string): void {
    this.#budget?.fault();
    if (nestsDeeper(element, MAX_NESTING)) {
      const message = `series ${index}: ${fault}; and it nests deeper than ${MAX_NESTING} levels, so it cannot be set aside alone`;
      throw new PoisonError('decode', 'nesting', message);
    }
    const text = elementJson(element);
    this.#budget?.spend(1 + text.length / CHARACTERS_A_UNIT);
    this.#characters += text.length;
    if (this.#characters > MOST_CHARACTERS) throw tooLarge();
    const where = `series ${index}: ${fault}`;
    if (this.#single.length < SINGLE_REJECTS) {
      const value = Buffer.from(text);
      const message = `${where}: ${quote(value)}`;
      this.#single.push({ reason, message, value, contentType: MAPPED_JSON });
      return;
    }
    this.#further.push({ text, where });
  }

  finish(): readonly Reject[] {
    const gathered: Reject[] = [];
    for (let from = 0; from < this.#further.length; ) {
      let to = from;
      let characters = 0;
      do characters += this.#further[to]!.text.length;
      while (++to < this.#further.length && characters + this.#further[to]!.text.length <= GATHERED_BYTES);
      gathered.push(gatheredReject(this.#further.slice(from, to)));
      from = to;
    }
    return gathered.length === 0 ? this.#single : [...this.#single, ...gathered];
  }
}

/** A series beyond those that are set aside one by one, and its fault. */
interface Further {
  readonly text: string;
  readonly where: string;
}

function tooLarge(): PoisonError {
  return new PoisonError(
    'decode',
    'too_many_faults',
    `the series that cannot be used come to more than ${MOST_CHARACTERS / (1024 * 1024)} MiB of JSON: send smaller records`,
  );
}

function gatheredReject(further: readonly Further[]): Reject {
  const message = `${further.length} more that cannot be used, the first at ${further[0]!.where}`;
  const value = Buffer.from(`[${further.map(({ text }) => text).join(',')}]`);
  return { reason: 'mapping', message, value, contentType: MAPPED_JSON };
}

/** Whether lists and objects nest deeper than `levels`. Goes level by level, without recursion. */
function nestsDeeper(value: unknown, levels: number): boolean {
  let level = [value].filter(isNested);
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > levels) return true;
    level = level.flatMap((each) => Object.values(each).filter(isNested));
  }
  return false;
}

function isNested(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

/** JSON of a value as `WriterSchema` reads it. What JSON numbers cannot say is text, bytes are base64. */
export function elementJson(element: unknown): string {
  return (
    JSON.stringify(element, function (this: Record<string, unknown>, key, value: unknown) {
      const original = plainMeaning(this[key]);
      if (original !== this[key]) return typeof original === 'bigint' ? String(original) : original;
      if (original instanceof Uint8Array) return Buffer.from(original).toString('base64');
      if (typeof value === 'bigint') return String(value);
      if (typeof value === 'number' && !Number.isFinite(value)) return String(value);
      return value;
    }) ?? 'null'
  );
}
