import { QUOTE } from './byte-text.ts';
import { parseFloat64OrZero, parseInt64, parseUint64 } from './number.ts';

export const NO_QUOTE = 'a quoted field value has no closing quote; is there a raw newline in it?';
const LETTER_I = 0x69;
const LETTER_U = 0x75;

/**
 * The value of an Influx field as a number, or its fault as text. `1i` and `1u` are whole numbers, `t` and `f` with
 * their longer forms are 1 and 0; other words, and quoted text that is not a number, are 0, as in vmagent.
 */
export function parseFieldValue(body: Buffer, start: number, end: number): number | string {
  if (start >= end) return 'a field has an empty value';
  const last = body[end - 1];
  if (body[start] === QUOTE) {
    if (end - start < 2 || last !== QUOTE) {
      return NO_QUOTE;
    }
    return parseFloat64OrZero(body, start + 1, end - 1);
  }
  if (last === LETTER_I || last === LETTER_U) {
    const value = last === LETTER_I ? parseInt64(body, start, end - 1) : parseUint64(body, start, end - 1);
    return value === undefined ? 'a whole-number field value does not fit 64 bits' : Number(value);
  }
  // A number begins with a digit, dot, sign or the letter of inf and nan; true begins with t.
  const first = body[start]! | 0x20;
  if (first === 0x74) return TRUE.has(body.toString('latin1', start, Math.min(end, start + 5))) ? 1 : 0;
  return parseFloat64OrZero(body, start, end);
}

const TRUE: ReadonlySet<string> = new Set(['t', 'T', 'true', 'True', 'TRUE']);
