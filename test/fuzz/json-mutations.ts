import fc from 'fast-check';

/** One change to a JSON value; places and replacements are numbers, so that they fit every value. */
interface JsonChange {
  readonly kind: 'replace' | 'remove' | 'repeat' | 'move';
  readonly place: number;
  /** Where a moved value goes, or which value replaces. */
  readonly other: number;
}

/** Stands for lists within lists, more than the stack holds; what writes values could not write them. */
const DEEP = 'lists within lists';
const DEEP_JSON = '['.repeat(6000) + ']'.repeat(6000);

/** Values that decoders treat in ways of their own, or must not take for what they look like. */
const TELLING: readonly unknown[] = [
  ...[null, true, false, '', 'x', '\u0000', 'NaN', '-Infinity', '+Inf', '-0', '1e400', ' 1', '0x10'],
  ...[0, -1, 1.5, -1e-7, 1e308, 2 ** 31, 2 ** 53, 2 ** 64, '18446744073709551616', '-9223372036854775809'],
  ...[[], {}, [[]], [null], { '': '' }, { series: [] }, DEEP],
];

const change: fc.Arbitrary<JsonChange> = fc.record({
  kind: fc.constantFrom('replace', 'replace', 'remove', 'repeat', 'move'),
  place: fc.nat(),
  other: fc.nat(),
});

/** Confluent's frame, behind which JSON may stand. */
const FRAME_BYTES = 5;

interface JsonSeed {
  readonly head: Buffer;
  readonly text: string;
}

/**
 * Valid inputs that are JSON, changed as values: what bytes that are changed at random hardly ever give, JSON that can
 * be read and does not mean what it should. Undefined where no input is JSON.
 */
export function mutatedJson(seeds: readonly Buffer[]): fc.Arbitrary<Buffer> | undefined {
  const known = seeds.flatMap((seed) => jsonSeed(seed, 0) ?? jsonSeed(seed, FRAME_BYTES) ?? []);
  if (known.length === 0) return undefined;
  return fc
    .record({ seed: fc.nat(), changes: fc.array(change, { minLength: 1, maxLength: 4 }) })
    .map(({ seed, changes }) => {
      const { head, text } = known[seed % known.length]!;
      const root = { value: JSON.parse(text) as unknown };
      for (const each of changes) apply(root, each);
      const changed = JSON.stringify(root.value) ?? 'null';
      return Buffer.concat([head, Buffer.from(changed.replaceAll(JSON.stringify(DEEP), DEEP_JSON))]);
    });
}

function jsonSeed(seed: Buffer, start: number): JsonSeed | undefined {
  const text = seed.toString('utf8', start);
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null ? { head: seed.subarray(0, start), text } : undefined;
  } catch {
    return undefined;
  }
}

/** A member of an object, or an element of a list. */
interface Place {
  readonly parent: Record<string | number, unknown>;
  readonly key: string | number;
}

function apply(root: { value: unknown }, { kind, place, other }: JsonChange): void {
  const places = placesIn(root);
  const { parent, key } = places[place % places.length]!;
  switch (kind) {
    case 'replace':
      parent[key] = structuredClone(TELLING[other % TELLING.length]);
      break;
    case 'remove':
      if (Array.isArray(parent)) parent.splice(Number(key), 1);
      else if (parent !== root) delete parent[key];
      break;
    case 'repeat':
      if (Array.isArray(parent)) parent.splice(Number(key), 0, parent[key]);
      break;
    case 'move': {
      // By value: an object within itself could not be written.
      const to = places[other % places.length]!;
      to.parent[to.key] = structuredClone(parent[key]);
      break;
    }
  }
}

function placesIn(root: { value: unknown }): Place[] {
  const places: Place[] = [];
  const visit = (parent: Place['parent'], key: Place['key']) => {
    places.push({ parent, key });
    const value = parent[key];
    if (typeof value !== 'object' || value === null) return;
    for (const name of Object.keys(value))
      visit(value as Place['parent'], Array.isArray(value) ? +name : name);
  };
  visit(root, 'value');
  return places;
}
