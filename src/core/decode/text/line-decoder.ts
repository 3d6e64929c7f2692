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
/** Bytes of a line that cost about as much as one unit of the budget. */
const BYTES_A_UNIT = 1024;

/** The next newline, or the end. Lines of a few bytes, of which a body may hold millions, are spared the native call. */
function lineEnd(body: Buffer, start: number): number {
  if (body[start + 1] === NEWLINE) return start + 1;
  if (body[start + 2] === NEWLINE) return start + 2;
  const next = body.indexOf(NEWLINE, start);
  return next < 0 ? body.length : next;
}

/** The metric name's label, as bytes. */
export const NAME = Buffer.from('__name__');

/**
 * What the decoders of line formats share: the walk over lines, each taken or set aside alone, and the bounds of what
 * one record may become.
 *
 * The same in all of them: a byte order mark at the beginning of a line is skipped. In those that are no JSON, a line
 * that begins with `#`, spaces and tabs before it aside, is a comment. Bytes that are not UTF-8 go on as they are in
 * names and label values, and the pipeline sets such a series aside (`invalid_utf8`).
 */
export abstract class LineDecoder implements Decoder {
  abstract readonly name: string;
  abstract readonly contentTypes: readonly string[];
  readonly defaultContentEncoding = 'identity';
  protected readonly builder = new WriteRequestBuilder();
  /** Labels of the line at hand. */
  protected readonly labels = new LabelFields();
  /** What a record has beside samples, and this encoding's series cannot carry. */
  protected uncarried = new Uncarried();
  /** Whether the record has a backslash anywhere: where not, nobody needs to look for escapes. */
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

  /** A record begins. */
  protected abstract begin(context: DecodeContext, args: RecordArguments): void;

  /** Takes the line `body[start, end)`, which is not empty; says what is wrong with it, and then builds nothing. */
  protected abstract line(body: Buffer, start: number, end: number): string | undefined;

  /** All lines are taken. */
  protected end(): void {}
}
