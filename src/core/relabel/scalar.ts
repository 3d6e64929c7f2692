/**
 * Plain YAML scalars as Go's YAML library (gopkg.in/yaml.v2, which both engines use) understands them.
 *
 * A text field takes the scalar as written (`1.50` stays `1.50`), a field of any type sees the value (`1.50` is
 * the number 1.5). So both have to survive parsing.
 */
export class YamlScalar {
  /** As written in the file. */
  readonly text: string;
  /** The value: bigint for an integer, number for a float. */
  readonly value: null | boolean | number | bigint;

  constructor(text: string, value: null | boolean | number | bigint) {
    this.text = text;
    this.value = value;
  }
}

const NULL = /^(?:~|null|Null|NULL)?$/;
const TRUE = /^(?:y|Y|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:n|N|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const INTEGER = /^([-+]?)(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]+|0|[1-9][0-9]*)$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INFINITY = /^([-+]?)\.(?:inf|Inf|INF)$/;
const NOT_A_NUMBER = /^\.(?:nan|NaN|NAN)$/;

/** Resolves an unquoted scalar without a tag: text, or a scalar of another type. Base 60 is not supported. */
export function resolvePlain(text: string): string | YamlScalar {
  if (NULL.test(text)) return new YamlScalar(text, null);
  if (TRUE.test(text)) return new YamlScalar(text, true);
  if (FALSE.test(text)) return new YamlScalar(text, false);
  if (NOT_A_NUMBER.test(text)) return new YamlScalar(text, Number.NaN);
  const infinity = INFINITY.exec(text);
  if (infinity) return new YamlScalar(text, infinity[1] === '-' ? -Infinity : Infinity);
  if (!/^[-+.0-9]/.test(text)) return text;

  // An underscore may stand anywhere in a number, except in one that starts with a point.
  const digits = text.startsWith('.') ? text : text.replaceAll('_', '');
  const integer = INTEGER.exec(digits);
  if (integer) {
    const value = readInteger(integer[2]!);
    const signed = integer[1] === '-' ? -value : value;
    if (signed >= -(2n ** 63n) && signed < 2n ** 64n) return new YamlScalar(text, signed);
  }
  // A float that is out of range stays text.
  if (FLOAT.test(digits) && Number.isFinite(Number(digits))) return new YamlScalar(text, Number(digits));
  return text;
}

function readInteger(digits: string): bigint {
  if (/^0[0-7]+$/.test(digits)) return BigInt(`0o${digits.slice(1)}`);
  return BigInt(digits);
}

/** A float in full, without an exponent, in the fewest digits: Go's `FormatFloat(v, 'f', -1, 64)`. */
export function formatFixed(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  if (Object.is(value, -0)) return '-0';
  const [, sign, whole, fraction, exponent] = /^(-?)(\d+)(?:\.(\d+))?(?:e([-+]\d+))?$/.exec(String(value))!;
  if (exponent === undefined) return String(value);
  const digits = whole! + (fraction ?? '');
  const point = whole!.length + Number(exponent);
  if (point <= 0) return `${sign}0.${'0'.repeat(-point)}${digits}`;
  if (point >= digits.length) return sign + digits + '0'.repeat(point - digits.length);
  return `${sign}${digits.slice(0, point)}.${digits.slice(point)}`;
}
