import { LabelFields } from '../../wire/label-fields.ts';
import { WriteRequestBuilder } from '../../wire/write-request-builder.ts';
import type { DecodeContext, Decoded, Decoder } from '../decoder.ts';
import { largestOutput, limitOutput } from '../output-limit.ts';
import { ArgumentReader, type RecordArguments } from '../record-arguments.ts';
import { LINES, Rejects } from '../rejects.ts';
import { Uncarried } from '../uncarried.ts';
import { skipMarks } from './byte-order-mark.ts';
import { BACKSLASH } from './byte-text.ts';

const NEWLINE = 0x0a;
const CARRIAGE_RETURN = 0x0d;
/** The first byte of a byte order mark. */
const MARK = 0xef;
/** Bytes of a line per unit of the budget. */
const BYTES_A_UNIT = 1024;

/** The next newline, or the end. Very short lines, of which a body may hold millions, avoid the native call. */
function lineEnd(body: Buffer, start: number): number {
  if (body[start + 1] === NEWLINE) return start + 1;
  if (body[start + 2] === NEWLINE) return start + 2;
  const next = body.indexOf(NEWLINE, start);
  return next < 0 ? body.length : next;
}

/** The metric name's label, as bytes. */
export const NAME = Buffer.from('__name__');

/**
 * Base of the decoders of line formats: walks over the lines, takes or sets aside each one alone, and limits the output
 * of a record.
 *
 * All of them skip a byte order mark at the beginning of a line. In those that are not JSON, a line that begins with
 * `#`, after any spaces and tabs, is a comment. Bytes that are not UTF-8 are passed on in names and label values, and
 * the pipeline sets such a series aside (`invalid_utf8`).
 */
export abstract class LineDecoder implements Decoder {
  abstract readonly name: string;
  abstract readonly contentTypes: readonly string[];
  readonly defaultContentEncoding = 'identity';
  protected readonly builder = new WriteRequestBuilder();
  /** Labels of the current line. */
  protected readonly labels = new LabelFields();
  /** Counts parts of the record that its series cannot carry. */
  protected uncarried = new Uncarried();
  /** Whether the record has a backslash anywhere; if not, there are no escapes to look for. */
  protected hasBackslash = false;
  readonly #arguments = new ArgumentReader();

  decode(body: Buffer, context: DecodeContext): Decoded {
    const { builder } = this;
    const largest = largestOutput(body.length, context);
    const rejects = new Rejects(
      { reason: `${this.name}_line`, contentType: this.contentTypes[0]!, glue: LINES },
      body,
      context.budget,
    );
    builder.reset();
    this.uncarried = new Uncarried();
    this.hasBackslash = body.includes(BACKSLASH);
    this.begin(context, this.#arguments.read(context.headers));
    const { budget } = context;
    let number = 0;
    for (let at = 0; at < body.length; ) {
      number++;
      if (body[at] === NEWLINE) {
        budget?.spend();
        at++;
        continue;
      }
      const next = lineEnd(body, at);
      budget?.spend(1 + (next - at) / BYTES_A_UNIT);
      const start = body[at] === MARK ? skipMarks(body, at, next) : at;
      const end = next > start && body[next - 1] === CARRIAGE_RETURN ? next - 1 : next;
      if (end > start) {
        const before = builder.series;
        const fault = this.line(body, start, end);
        if (fault !== undefined) rejects.add(start, end, `line ${number}`, fault);
        else {
          budget?.series(builder.series - before);
          limitOutput(builder.length, largest);
        }
      }
      at = next + 1;
    }
    this.end();
    return { body: builder.finish(), rejects: rejects.finish(), ...this.uncarried.field };
  }

  /** Called at the beginning of a record. */
  protected abstract begin(context: DecodeContext, args: RecordArguments): void;

  /** Takes the line `body[start, end)`, which is not empty, or returns its fault and builds nothing. */
  protected abstract line(body: Buffer, start: number, end: number): string | undefined;

  /** Called after the last line. */
  protected end(): void {}
}
