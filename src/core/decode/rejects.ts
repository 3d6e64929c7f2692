import { quoteBytes } from '../model/invalid-utf8.ts';
import type { Reject } from './decoder.ts';
import type { RecordBudget } from './record-budget.ts';

/**
 * Most parts of a record that are set aside one by one, each with its own message. Further ones are gathered: a record
 * of 200 bytes must not become thousands of dead letters in one transaction (services/worker/step.ts).
 */
export const SINGLE_REJECTS = 100;
/** Size at which a gathered part is closed: it then fits in a dead letter under Kafka's default max.message.bytes. */
export const GATHERED_BYTES = 512 * 1024;
/** Most bytes of a part that its message quotes. */
const QUOTED_BYTES = 120;

/** Reason and content type of a format's set-aside parts, and how they are joined if there are many. */
export interface RejectForm {
  readonly reason: string;
  readonly contentType: string;
  /** Text around and between gathered parts, which makes them a valid body of the format. */
  readonly glue: { readonly open: string; readonly between: string; readonly close: string };
}

/** A run of parts, and where and why the first of them cannot be used. */
interface Gathered {
  readonly start: number;
  end: number;
  parts: number;
  readonly first: string;
}

export const LINES = { open: '', between: '\n', close: '' };

/** Collects what a decoder sets aside. Memory stays within a few times that of the body, however many parts are bad. */
export class Rejects {
  readonly #form: RejectForm;
  readonly #body: Buffer;
  readonly #budget: RecordBudget | undefined;
  readonly #single: Reject[] = [];
  /** Further parts. Adjacent ones are merged, with the bytes between them. */
  readonly #further: Gathered[] = [];

  constructor(form: RejectForm, body: Buffer, budget?: RecordBudget) {
    this.#form = form;
    this.#body = body;
    this.#budget = budget;
  }

  /** Sets `body[start, end)` aside; `where` names it, as in `line 3`. @throws PoisonError `too_many_faults` */
  add(start: number, end: number, where: string, fault: string, reason = this.#form.reason): void {
    this.#budget?.fault();
    if (this.#single.length < SINGLE_REJECTS) {
      const value = this.#body.subarray(start, end);
      this.#single.push(this.#reject(value, `${where}: ${fault}: ${quote(value)}`, reason));
      return;
    }
    const last = this.#further.at(-1);
    if (last && end - last.start <= GATHERED_BYTES && this.#isGlue(last.end, start)) {
      last.end = end;
      last.parts++;
    } else this.#further.push({ start, end, parts: 1, first: `${where}: ${fault}` });
  }

  finish(): readonly Reject[] {
    const further = this.#further;
    const gathered: Reject[] = [];
    for (let from = 0; from < further.length; ) {
      let to = from;
      let size = 0;
      do size += further[to]!.end - further[to]!.start + this.#form.glue.between.length;
      while (++to < further.length && size + further[to]!.end - further[to]!.start <= GATHERED_BYTES);
      gathered.push(this.#gathered(further.slice(from, to)));
      from = to;
    }
    return gathered.length === 0 ? this.#single : [...this.#single, ...gathered];
  }

  #gathered(ranges: readonly Gathered[]): Reject {
    const { open, between, close } = this.#form.glue;
    const bytes = ranges.reduce((sum, { start, end }) => sum + end - start, 0);
    const value = Buffer.allocUnsafeSlow(
      open.length + close.length + between.length * (ranges.length - 1) + bytes,
    );
    let at = value.write(open);
    for (const [index, { start, end }] of ranges.entries()) {
      if (index > 0) at += value.write(between, at);
      at += this.#body.copy(value, at, start, end);
    }
    value.write(close, at);
    const parts = ranges.reduce((sum, range) => sum + range.parts, 0);
    const message = `${parts} more that cannot be used, the first at ${ranges[0]!.first}`;
    return this.#reject(value, message);
  }

  #isGlue(start: number, end: number): boolean {
    const { between } = this.#form.glue;
    return end - start === between.length && this.#body.toString('latin1', start, end) === between;
  }

  #reject(value: Buffer, message: string, reason = this.#form.reason): Reject {
    return { reason, message, value, contentType: this.#form.contentType };
  }
}

/** The bytes as text in quotes, shortened. */
export function quote(bytes: Uint8Array): string {
  return quoteBytes(bytes, QUOTED_BYTES);
}
