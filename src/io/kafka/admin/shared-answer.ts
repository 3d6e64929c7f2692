/** Coalesces concurrent reads: callers share one answer, which is always asked for after each of their calls. */
export class SharedAnswer<T> {
  readonly #ask: () => Promise<T>;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<T> | undefined;

  constructor(ask: () => Promise<T>) {
    this.#ask = ask;
  }

  read(): Promise<T> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const answer = this.#ask();
      this.#running = answer.catch(() => undefined);
      return answer;
    });
    return this.#next;
  }
}
