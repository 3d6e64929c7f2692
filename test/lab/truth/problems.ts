/** Problems found by a run: each kind with its count and the first few examples. */
export class Problems {
  readonly #kinds = new Map<string, { count: number; examples: string[] }>();

  add(kind: string, example: string): void {
    const entry = this.#kinds.get(kind) ?? { count: 0, examples: [] };
    entry.count += 1;
    if (entry.examples.length < 3) entry.examples.push(example);
    this.#kinds.set(kind, entry);
  }

  lines(): string[] {
    return [...this.#kinds].map(
      ([kind, { count, examples }]) => `${kind}, ${count} times, such as ${examples.join('; ')}`,
    );
  }
}
