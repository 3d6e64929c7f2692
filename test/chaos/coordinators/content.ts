/** Difference between the copy of a partition and its source. */
export interface Difference {
  readonly lost: number;
  readonly repeated: number;
  /** The first difference in words; undefined: none. */
  readonly first: string | undefined;
}

/** Prefix of the records that mark which kill comes next. */
const MARK = 'next: kill ';

export function mark(kill: number): string {
  return `${MARK}${kill}`;
}

/** Compares the copy of a partition with its source, in order. */
export function compare(input: readonly string[], output: readonly string[]): Difference {
  const left = new Map<string, number>();
  for (const value of input) left.set(value, (left.get(value) ?? 0) + 1);
  for (const value of output) left.set(value, (left.get(value) ?? 0) - 1);
  const counts = [...left.values()];
  const lost = counts.reduce((sum, count) => sum + Math.max(0, count), 0);
  const repeated = counts.reduce((sum, count) => sum + Math.max(0, -count), 0);
  const at = input.findIndex((value, index) => value !== output[index]);
  const place = at < 0 && output.length > input.length ? input.length : at;
  return { lost, repeated, first: place < 0 ? undefined : describe(input, output, place) };
}

function describe(input: readonly string[], output: readonly string[], at: number): string {
  const kill = input.slice(0, at + 1).findLast((value) => value.startsWith(MARK)) ?? 'before the first kill';
  const text = (values: readonly string[]) => values.slice(at, at + 3).join(', ') || 'nothing';
  return `${kill}: value ${at} is ${text(output)} instead of ${text(input)}`;
}
