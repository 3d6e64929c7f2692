/** vmagent's command-line flags, as a vector names them in `options.flags`: those that differ from the defaults. */
export type FlagValues = Readonly<Record<string, string>>;

/**
 * Reads the flags of one case. What no runner asks for is a flag that would have been ignored, and the case would pass
 * or fail for the wrong reason: `finish` fails it by name.
 */
export class Flags {
  readonly #values: FlagValues;
  readonly #asked = new Set<string>();

  constructor(values: FlagValues = {}) {
    this.#values = values;
  }

  text(name: string): string | undefined {
    this.#asked.add(name);
    return this.#values[name];
  }

  /** Undefined where the flag is not given. Accepts what Go's strconv.ParseBool does. */
  bool(name: string): boolean | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    if (['', '1', 't', 'T', 'true', 'True', 'TRUE'].includes(text)) return true;
    if (['0', 'f', 'F', 'false', 'False', 'FALSE'].includes(text)) return false;
    throw new Error(`flag -${name}=${text} is neither true nor false`);
  }

  /** A duration as Go writes it, in ms. */
  durationMs(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : goDurationMs(name, text);
  }

  /** A number of bytes, with or without a unit. */
  bytes(name: string): number | undefined {
    const text = this.text(name);
    if (text === undefined) return undefined;
    const [, number, unit] = /^(\d+(?:\.\d+)?)(B|KB|MB|GB|KiB|MiB|GiB)?$/.exec(text) ?? [];
    if (number === undefined) throw new Error(`flag -${name}=${text} is no size`);
    return Number(number) * BYTES[unit ?? 'B']!;
  }

  /** Flags that say nothing about what a body becomes. */
  ignore(...names: readonly string[]): void {
    for (const name of names) this.#asked.add(name);
  }

  /** @throws Error that names the flags nobody asked for */
  finish(): void {
    const unknown = Object.keys(this.#values).filter((name) => !this.#asked.has(name));
    if (unknown.length > 0) throw new Error(`the runner does not know the flags ${unknown.join(', ')}`);
  }
}

const BYTES: Readonly<Record<string, number>> = {
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  KiB: 2 ** 10,
  MiB: 2 ** 20,
  GiB: 2 ** 30,
};
const MS: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** `1m0s`, `1.5h`, `500ms`, `0`. */
function goDurationMs(name: string, text: string): number {
  if (text === '0') return 0;
  if (!/^(?:\d+(?:\.\d+)?(?:ms|s|m|h))+$/.test(text)) throw new Error(`flag -${name}=${text} is no duration`);
  let ms = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g))
    ms += Number(number) * MS[unit!]!;
  return ms;
}
