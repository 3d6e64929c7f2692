import { formatGeneral } from '../../core/decode/text/go-float.ts';
import type { Label, Labels } from '../../core/model/labels.ts';
import { printable, quoted } from '../../core/model/printable.ts';
import type { LeftBehind, ReadSeries, RecordVisitor } from '../../core/pipeline/read-record.ts';

/** Characters buffered per write: a record may expand to a gigabyte of text, more than a string can hold. */
const CHUNK = 64 * 1024;

/** Prints a decoded record, and counts its rejects. */
export interface DecodeOutput extends RecordVisitor {
  readonly rejects: number;
  /** Call first, if present: the JSON output has no header. */
  begin?(source: string, encoding: string | undefined): void;
  /** Call once, after the last series and reject. */
  end(left: LeftBehind): void;
}

/** Writes text in pieces of about `CHUNK` characters. */
class Printer {
  readonly #write: (text: string) => void;
  #text = '';

  constructor(write: (text: string) => void) {
    this.#write = write;
  }

  print(text: string): void {
    this.#text += text;
    if (this.#text.length >= CHUNK) this.flush();
  }

  flush(): void {
    if (this.#text !== '') this.#write(this.#text);
    this.#text = '';
  }
}

/** A line of JSON for each series and each reject. */
export class JsonOutput implements DecodeOutput {
  readonly #printer: Printer;
  /** Not through an object: `__proto__` is a label name like any other. */
  readonly #labels = new LabelTexts(({ name, value }) => `${quoted(name)}:${quoted(value)}`);
  readonly #samples = new SampleTexts();
  rejects = 0;

  constructor(write: (text: string) => void) {
    this.#printer = new Printer(write);
  }

  series({ labels, samples }: ReadSeries): void {
    const printer = this.#printer;
    printer.print(`{"labels":{${this.#labels.of(labels).join()}},"samples":[`);
    let separator = '';
    for (const sample of samples) {
      printer.print(`${separator}${this.#samples.of(sample)}`);
      separator = ',';
    }
    printer.print(']}\n');
  }

  reject(reason: string, message: string): void {
    this.rejects++;
    this.#printer.print(`{"reject":{"reason":${quoted(reason)},"message":${quoted(message)}}}\n`);
  }

  end(): void {
    this.#printer.flush();
  }
}

/** Formats labels. A label that is the same object as in the previous series (see `LabelBlock`) reuses its text. */
class LabelTexts {
  readonly #textOf: (label: Label) => string;
  #labels: Labels = [];
  #texts: string[] = [];

  constructor(textOf: (label: Label) => string) {
    this.#textOf = textOf;
  }

  of(labels: Labels): readonly string[] {
    const [before, texts] = [this.#labels, this.#texts];
    this.#texts = labels.map((label, index) =>
      label === before[index] ? texts[index]! : this.#textOf(label),
    );
    this.#labels = labels;
    return this.#texts;
  }
}

/** Formats samples as JSON. A sample with the time and value of the previous one reuses its text. */
class SampleTexts {
  #timestamp: bigint | undefined;
  #value = 0;
  #text = '';

  of({ timestamp, value }: { readonly timestamp: bigint; readonly value: number }): string {
    if (timestamp === this.#timestamp && Object.is(value, this.#value)) return this.#text;
    this.#timestamp = timestamp;
    this.#value = value;
    this.#text = `[${jsonTime(timestamp)},"${formatGeneral(value)}"]`;
    return this.#text;
  }
}

/** A JSON number if a JavaScript number holds it exactly; else a string. */
function jsonTime(ms: bigint): string {
  return Number.isSafeInteger(Number(ms)) ? String(ms) : `"${ms}"`;
}

/** Text for people. Everything from the record is escaped for the terminal. */
export class TextOutput implements DecodeOutput {
  readonly #printer: Printer;
  readonly #labels = new LabelTexts(({ name, value }) => `${labelName(name)}=${quoted(value)}`);
  rejects = 0;
  #series = 0;
  #samples = 0;
  #exemplars = 0;
  #histograms = 0;

  constructor(write: (text: string) => void) {
    this.#printer = new Printer(write);
  }

  begin(source: string, encoding: string | undefined): void {
    this.#printer.print(`${printable(source)}, as ${encoding ?? 'nothing that is known'}\n\n`);
  }

  series({ labels, samples, exemplars, histograms }: ReadSeries): void {
    const printer = this.#printer;
    this.#series++;
    this.#exemplars += exemplars;
    this.#histograms += histograms;
    printer.print(`{${this.#labels.of(labels).join(', ')}}\n`);
    for (const { timestamp, value } of samples) {
      this.#samples++;
      printer.print(`  ${formatGeneral(value)} @ ${timestamp}${timeText(Number(timestamp))}\n`);
    }
    const others = counts([
      [exemplars, 'exemplar'],
      [histograms, 'native histogram'],
    ]);
    if (others.length > 0) printer.print(`  and ${others.join(', ')}\n`);
  }

  reject(reason: string, message: string): void {
    this.rejects++;
    this.#printer.print(`cannot be used: ${printable(reason)}: ${printable(message)}\n`);
  }

  end({ metadata, unknownFields, uncarried }: LeftBehind): void {
    const had = counts([
      [this.#samples, 'sample'],
      [this.#exemplars, 'exemplar'],
      [this.#histograms, 'native histogram'],
    ]);
    const lines = [
      `${this.#series} series${had.length > 0 ? ` with ${had.join(', ')}` : ''}`,
      ...(this.rejects > 0 ? [`cannot be used: ${this.rejects}`] : []),
    ];
    const notCarried = [
      ...counts([
        [metadata, 'metadata entry'],
        [unknownFields, 'unknown field'],
      ]),
      ...Object.entries(uncarried).map(([kind, count]) => `${count} ${kind}`),
    ];
    if (notCarried.length > 0) lines.push(`not carried on: ${notCarried.join(', ')}`);
    this.#printer.print(`${this.#series + this.rejects > 0 ? '\n' : ''}${lines.map(printable).join('\n')}\n`);
    this.#printer.flush();
  }
}

function labelName(name: string): string {
  return /^[A-Za-z_:][A-Za-z0-9_:.]*$/.test(name) ? name : quoted(name);
}

function timeText(ms: number): string {
  return Math.abs(ms) <= 8.64e15 ? ` (${new Date(ms).toISOString()})` : '';
}

function counts(of: readonly (readonly [number, string])[]): string[] {
  return of
    .filter(([count]) => count > 0)
    .map(
      ([count, what]) => `${count} ${count === 1 ? what : what.replace(/y$/, 'ie')}${count === 1 ? '' : 's'}`,
    );
}
