/**
 * Grammars of complete lines, to tell the formats apart. Stricter than the decoders, which accept what vmagent accepts:
 * a line that only one format can have written is the best evidence. All take time linear in the line.
 */

const NUMBER = String.raw`[+-]?(?:(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?|[iI][nN][fF](?:[iI][nN][iI][tT][yY])?|[nN][aA][nN])`;
const TIME = String.raw`-?\d+(?:\.\d+)?`;
const TEXT = String.raw`"(?:[^"\\]|\\.)*"`;

const LABEL = String.raw`[ \t]*(?:[^"={},\s]+[ \t]*=[ \t]*${TEXT}|${TEXT}[ \t]*(?:=[ \t]*${TEXT})?)[ \t]*`;
const LABELS = String.raw`\{(?:${LABEL}(?:,${LABEL})*,?)?[ \t]*\}`;
/** With braces, names as in vmagent, which may have dots; without braces, those of Prometheus. */
const PROMETHEUS_LABELED = new RegExp(
  String.raw`^[^\s{}"=,#]*[ \t]*${LABELS}[ \t]*${NUMBER}(?:[ \t]+${TIME})?[ \t]*(?:#.*)?$`,
);
const PROMETHEUS_PLAIN = new RegExp(
  String.raw`^[a-zA-Z_:][\w:]*[ \t]+${NUMBER}(?:[ \t]+${TIME})?[ \t]*(?:#.*)?$`,
);

const FIELD = String.raw`(?:[^,= \\"]|\\.)+=(?:${TEXT}|${NUMBER}|-?\d+[iu]|[tTfF]|true|True|TRUE|false|False|FALSE)`;
const INFLUX = new RegExp(
  String.raw`^(?:[^, \\]|\\.)+(?:,(?:[^,= \\]|\\.)+=(?:[^, \\]|\\.)*)* +${FIELD}(?:,${FIELD})*(?: +-?\d+)? *$`,
);

/** Tags are not checked: no other format has two numbers after two words. */
const OPENTSDB = new RegExp(`^put +[^ =]+ +${NUMBER} +${NUMBER}(?: .*)?$`);

const GRAPHITE_PATH = /^[^\s;{}"=,#]+(?:;[^;=]+=[^;]*)*$/;
const WHOLE_NUMBER = new RegExp(`^${NUMBER}$`);
const WHOLE_TIME = new RegExp(`^${TIME}$`);

/** `name{label="value"} 1.5 1700000000000`; the braces tell it from Graphite. */
export function isPrometheusLabeled(line: string): boolean {
  return line.includes('{') && PROMETHEUS_LABELED.test(line);
}

/** `name 1.5 1700000000000`. */
export function isPrometheusPlain(line: string): boolean {
  return PROMETHEUS_PLAIN.test(line);
}

/** `measurement,tag=a field=1 1700000000000000000`. */
export function isInfluxLine(line: string): boolean {
  // `path;tag=two words=x 1`: Graphite's tags may hold spaces.
  const space = line.indexOf(' ');
  const semicolon = line.indexOf(';');
  if (semicolon >= 0 && semicolon < space && !line.slice(0, space).includes(',')) return false;
  return line.includes('=') && INFLUX.test(line);
}

/** `put name 1700000000 1.5 tag=a`. */
export function isOpentsdbLine(line: string): boolean {
  return line.startsWith('put ') && OPENTSDB.test(line);
}

/** `path;tag=a 1.5 1700000000`, read from the end. */
export function isGraphiteLine(line: string): boolean {
  const [rest, last] = cutWord(line);
  if (!WHOLE_NUMBER.test(last)) return false;
  const [path, value] = cutWord(rest);
  if (WHOLE_TIME.test(last) && WHOLE_NUMBER.test(value) && GRAPHITE_PATH.test(path)) return true;
  return GRAPHITE_PATH.test(rest);
}

/** Splits off the last word; the rest is without trailing blanks. */
function cutWord(text: string): [rest: string, word: string] {
  const blank = Math.max(text.lastIndexOf(' '), text.lastIndexOf('\t'));
  return blank < 0 ? ['', text] : [text.slice(0, blank).trimEnd(), text.slice(blank + 1)];
}
