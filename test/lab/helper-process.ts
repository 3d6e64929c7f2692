import { type ChildProcess, fork } from 'node:child_process';
import path from 'node:path';
import { ROOT } from './cache.ts';

/** A program of the repository in a process of its own. It answers each message with one, and ends with this process. */
export class HelperProcess {
  readonly #child: ChildProcess;
  /** Settles with the answer to the message before. */
  #last: Promise<unknown> = Promise.resolve();

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Starts it, by its path from the root. Resolves to it and its first message, which says that it is ready. */
  static async start<First>(file: string, args: readonly string[] = []): Promise<[HelperProcess, First]> {
    const child = fork(path.join(ROOT, file), args, {
      serialization: 'advanced',
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    const helper = new HelperProcess(child);
    return [helper, await helper.#next<First>()];
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** One message after the other: the first answer belongs to the first message. */
  async ask<Answer>(message: string | object): Promise<Answer> {
    const answer = this.#last.then(() => {
      const next = this.#next<Answer>();
      this.#child.send(message);
      return next;
    });
    this.#last = answer.catch(() => undefined);
    return await answer;
  }

  tell(message: string | object): void {
    this.#child.send(message);
  }

  close(): void {
    this.#child.disconnect();
  }

  #next<Answer>(): Promise<Answer> {
    return new Promise((resolve, reject) => {
      const ended = (code: number | null) => reject(new Error(`a helper process ended with ${code}`));
      this.#child.once('exit', ended);
      this.#child.once('message', (answer) => {
        this.#child.off('exit', ended);
        resolve(answer as Answer);
      });
    });
  }
}
