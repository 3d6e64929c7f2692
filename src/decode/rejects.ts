import type { Reject } from './decoder.ts';
import type { RecordBudget } from './record-budget.ts';

/** Parts of a record that are set aside one by one; what goes beyond is gathered in one more. */
const SINGLE_REJECTS = 1000;
/** Bytes of a part that its message quotes. */
const QUOTED_BYTES = 120;

/** How a format's set-aside parts are named, and put together where there are many. */
export interface RejectForm {
  readonly reason: string;
  readonly contentType: string;
  /** Around and between parts that are gathered, so that together they are again a body of the format. */
  readonly glue: { readonly open: string; readonly between: string; readonly close: string };
}

export const LINES = { open: '', between: '\n', close: '' };

/** Collects what a decoder sets aside. Memory stays within a few times that of the body, however many parts are bad. */
export class Rejects {
  readonly #form: RejectForm;
  readonly #body: Buffer;
  readonly #budget: RecordBudget | undefined;
  readonly #single: Reject[] = [];
  /** Start and end of further parts, in turn; neighbours are one, with what the body has between them. */
  readonly #further: number[] = [];
  #furtherCount = 0;
  #first = '';

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
    if (this.#furtherCount++ === 0) this.#first = `${where}: ${fault}`;
    const last = this.#further.length - 1;
    if (last > 0 && this.#isGlue(this.#further[last]!, start)) this.#further[last] = end;
    else this.#further.push(start, end);
  }

  finish(): readonly Reject[] {
    if (this.#furtherCount === 0) return this.#single;
    const message = `${this.#furtherCount} more that cannot be used, the first at ${this.#first}`;
    return [...this.#single, this.#reject(this.#gathered(), message)];
  }

  #gathered(): Buffer {
    const { open, between, close } = this.#form.glue;
    const further = this.#further;
    let size = open.length + close.length + between.length * (further.length / 2 - 1);
    for (let i = 0; i < further.length; i += 2) size += further[i + 1]! - further[i]!;
    const value = Buffer.allocUnsafeSlow(size);
    let at = value.write(open);
    for (let i = 0; i < further.length; i += 2) {
      if (i > 0) at += value.write(between, at);
      at += this.#body.copy(value, at, further[i]!, further[i + 1]!);
    }
    value.write(close, at);
    return value;
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
  const text = Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.length, QUOTED_BYTES)).toString();
  return JSON.stringify(bytes.length > QUOTED_BYTES ? `${text}…` : text);
}
