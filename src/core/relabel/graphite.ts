/** A dotted name with stars, compiled: `app.*.count`. A star matches anything without a dot. */
export interface GraphiteMatch {
  /** The whole name and the text of each star; undefined when the name does not match. */
  match(name: string): readonly string[] | undefined;
}

/** Source: VictoriaMetrics 1.150, graphite relabeling. A star takes as little as the next part allows. */
export function compileGraphiteMatch(template: string): GraphiteMatch {
  const parts = template.split(/(\*)/).filter((part) => part !== '');
  return { match: (name) => matchParts(parts, name) };
}

function matchParts(parts: readonly string[], name: string): readonly string[] | undefined {
  const last = parts.at(-1);
  if (last !== undefined && last !== '*' && !name.endsWith(last)) return undefined;
  const taken = [name];
  let at = 0;
  for (let index = 0; index < parts.length; index++) {
    const part = parts[index]!;
    if (part !== '*') {
      if (!name.startsWith(part, at)) return undefined;
      at += part.length;
      continue;
    }
    const next = parts[++index];
    const end = next === undefined ? name.length : name.indexOf(next, at);
    if (end < 0) return undefined;
    const star = name.slice(at, end);
    if (star.includes('.')) return undefined;
    taken.push(star);
    at = end + (next?.length ?? 0);
  }
  return at === name.length ? taken : undefined;
}

/** A label value made from the texts of the stars: `$1`, `${2}`, `$0` for the whole name. */
export type GraphiteTemplate = (taken: readonly string[]) => string;

/** An unclosed brace makes the rest plain text. */
const REFERENCE = /\$(?:\{[^}]*$|\{([^}]*)\}|([0-9]*))/g;

/** A reference to a star that does not exist stays as written. */
export function compileGraphiteTemplate(template: string): GraphiteTemplate {
  return (taken) =>
    template.replace(REFERENCE, (written: string, braced?: string, digits?: string) => {
      const index = braced ?? digits ?? '';
      return (/^[-+]?[0-9]+$/.test(index) ? taken[Number(index)] : undefined) ?? written;
    });
}
