/** Floats as text, in the forms of Go's strconv.FormatFloat that vmagent puts into labels. */

/** Format `f`, precision -1: the shortest digits that give the number back, never with an exponent. */
export function formatPlain(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  const text = sign(value) + Math.abs(value);
  const at = text.indexOf('e');
  if (at < 0) return text;
  const exponent = Number(text.slice(at + 1));
  const negative = text.startsWith('-');
  const [whole = '', fraction = ''] = text.slice(negative ? 1 : 0, at).split('.');
  const digits = whole + fraction;
  const point = whole.length + exponent;
  let plain: string;
  if (point <= 0) plain = `0.${'0'.repeat(-point)}${digits}`;
  else if (point >= digits.length) plain = digits + '0'.repeat(point - digits.length);
  else plain = `${digits.slice(0, point)}.${digits.slice(point)}`;
  return negative ? `-${plain}` : plain;
}

/** Format `e`, precision 3: `1.526e-05`. An exact tie rounds to even, where JavaScript rounds it up. */
export function formatExponent3(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  const magnitude = Math.abs(value);
  let text = magnitude.toExponential(3);
  if (/^\d\.\d{3}50{6}/.test(magnitude.toExponential(10))) {
    // 40 digits tell a tie from a number beside it: no double lies closer to five decimal digits than that.
    const exact = magnitude.toExponential(40);
    const even = Number(exact[4]) % 2 === 0;
    if (even && /^\d\.\d{3}50{36}e/.test(exact)) text = exact.slice(0, 5) + exact.slice(exact.indexOf('e'));
  }
  return sign(value) + twoDigitExponent(text);
}

/** Format `g`, precision -1: with an exponent below 1e-4 and from 1e6 on. */
export function formatGeneral(value: number): string {
  if (!Number.isFinite(value)) return special(value);
  const magnitude = Math.abs(value);
  if (magnitude === 0) return `${sign(value)}0`;
  const shortest = magnitude.toExponential();
  const exponent = Number(shortest.slice(shortest.indexOf('e') + 1));
  return exponent < -4 || exponent >= 6 ? sign(value) + twoDigitExponent(shortest) : formatPlain(value);
}

function twoDigitExponent(text: string): string {
  return text.replace(/e([+-])(\d)$/, 'e$10$2');
}

function sign(value: number): string {
  return value < 0 || Object.is(value, -0) ? '-' : '';
}

function special(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '+Inf' : '-Inf';
}
