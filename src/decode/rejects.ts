import type { Reject } from './decoder.ts';

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
  readonly #single: Reject[] = [];
  /** Start and end of each further part, in turn. */
  readonly #further: number[] = [];
  #first = '';

  constructor(form: RejectForm, body: Buffer) {
    this.#form = form;
    this.#body = body;
  }

  /** Sets `body[start, end)` aside; `where` names it, as in `line 3`. */
  add(start: number, end: number, where: string, fault: string): void {
    if (this.#single.length >= SINGLE_REJECTS) {
      if (this.#further.length === 0) this.#first = `${where}: ${fault}`;
      this.#further.push(start, end);
      return;
    }
    const value = this.#body.subarray(start, end);
    this.#single.push(this.#reject(value, `${where}: ${fault}: ${quote(value)}`));
  }

  finish(): readonly Reject[] {
    const further = this.#further;
    if (further.length === 0) return this.#single;
    const { open, between, close } = this.#form.glue;
    const parts: Buffer[] = [];
    // Never more pieces than bytes: neighbours that the body itself has glued are taken in one.
    for (let i = 0; i < further.length; i += 2) {
      const start = further[i]!;
      let end = further[i + 1]!;
      while (i + 2 < further.length && this.#isGlue(end, further[i + 2]!)) {
        i += 2;
        end = further[i + 1]!;
      }
      if (parts.length > 0) parts.push(Buffer.from(between));
      parts.push(this.#body.subarray(start, end));
    }
    const value = Buffer.concat([Buffer.from(open), ...chunked(parts), Buffer.from(close)]);
    const count = further.length / 2;
    return [
      ...this.#single,
      this.#reject(value, `${count} more that cannot be used, the first at ${this.#first}`),
    ];
  }

  #isGlue(start: number, end: number): boolean {
    return this.#body.latin1Slice(start, Math.min(end, start + 8)) === this.#form.glue.between;
  }

  #reject(value: Buffer, message: string): Reject {
    return { reason: this.#form.reason, message, value, contentType: this.#form.contentType };
  }
}
