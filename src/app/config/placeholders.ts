import { type Leaf, shownFor } from './leaves.ts';
import { valueAt } from './problem.ts';
import type { Path } from './source.ts';

/** Placeholders of shells, Compose, Kubernetes and templates: `${NAME}`, `$(NAME)`, `{{ name }}`. */
const PLACEHOLDER = /\$\{[^}]*\}|\$\([A-Za-z_]\w*\)|\{\{.*\}\}/;
/** A value that is only a placeholder. `$NAME` counts in capitals: `$ConnectionString` is a user name of Azure. */
const WHOLE = new RegExp(`^\\s*(?:${PLACEHOLDER.source}|\\$[A-Z_][A-Z0-9_]*)\\s*$`);

/**
 * Hint for a value with a placeholder; undefined if there is none. In a secret only a placeholder as the whole value
 * counts, since a part may look like one by chance.
 *
 * @param variable the environment variable that sets the key, if there is one
 */
export function placeholderHint(value: unknown, variable?: string, isSecret = false): string | undefined {
  if (typeof value !== 'string' || !(WHOLE.test(value) || (!isSecret && PLACEHOLDER.test(value))))
    return undefined;
  const expected =
    variable === undefined ? 'the value itself' : `the value itself, or ${variable} in the environment`;
  return `environment variables are not expanded here, expected ${expected}`;
}

/** A place in the configuration that holds one value, or a list of them. */
export interface ValuePlace extends Partial<Pick<Leaf, 'env'>> {
  readonly path: Path;
  readonly secret: boolean;
}

/**
 * Finds placeholders that nothing has replaced, which would be accepted as values: a group named `${GROUP}`, a password
 * that is the name of a variable.
 */
export function findPlaceholders(
  places: readonly ValuePlace[],
  values: unknown,
): { readonly path: Path; readonly message: string }[] {
  return places.flatMap(({ path, secret, env }) => {
    const value = valueAt(values, path);
    const items: { item: unknown; path: Path }[] = Array.isArray(value)
      ? value.map((item, at) => ({ item, path: [...path, at] }))
      : [{ item: value, path }];
    return items.flatMap(({ item, path: at }) => {
      const hint = placeholderHint(item, env, secret);
      if (hint === undefined) return [];
      const given = secret ? 'the given value' : shownFor(undefined, item);
      return [{ path: at, message: `${given} is no value: ${hint}` }];
    });
  });
}
