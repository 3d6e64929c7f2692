import { PoisonError } from '../model/errors.ts';
import type { Reject } from './decoder.ts';
import { plainMeaning } from './known-messages.ts';
import type { RecordBudget } from './record-budget.ts';
import { quote } from './rejects.ts';

/** Series set aside one by one; what goes beyond is gathered in one more. */
const SINGLE_REJECTS = 1000;

/** Names the form in which mapped series are set aside: JSON with the fields of the original, one series or a list. */
export const MAPPED_JSON = 'application/vnd.penstock.mapped+json';

/** Lists and objects within each other in a series that is set aside; writing more of them would end the stack. */
const MAX_NESTING = 500;

/** Collects series that a mapping could not use. They have no bytes of their own in the record, so they become JSON. */
export class MappedRejects {
  readonly #single: Reject[] = [];
  readonly #further: string[] = [];
  readonly #budget: RecordBudget | undefined;
  #first = '';

  constructor(budget?: RecordBudget) {
    this.#budget = budget;
  }

  /** Throws PoisonError `nesting`, which refuses the whole record, where the series nests too deep to be written down. */
  add(element: unknown, index: number, reason: string, fault: string): void {
    this.#budget?.fault();
    if (nestsDeeper(element, MAX_NESTING)) {
      const message = `series ${index}: ${fault}; and it nests deeper than ${MAX_NESTING} levels, so it cannot be set aside alone`;
      throw new PoisonError('decode', 'nesting', message);
    }
    const text = elementJson(element);
    const where = `series ${index}: ${fault}`;
    if (this.#single.length < SINGLE_REJECTS) {
      const value = Buffer.from(text);
      const message = `${where}: ${quote(value)}`;
      this.#single.push({ reason, message, value, contentType: MAPPED_JSON });
      return;
    }
    if (this.#further.length === 0) this.#first = where;
    this.#further.push(text);
  }

  finish(): readonly Reject[] {
    if (this.#further.length === 0) return this.#single;
    const message = `${this.#further.length} more that cannot be used, the first at ${this.#first}`;
    const value = Buffer.from(`[${this.#further.join(',')}]`);
    return [...this.#single, { reason: 'mapping', message, value, contentType: MAPPED_JSON }];
  }
}

/** Whether there are more than `levels` lists and objects within each other. It needs no stack, level by level. */
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
