/**
 * Closes what a test file opens at its top, and a test within itself. A server that is left open after a failure ends
 * with the process all the same.
 */
import { after } from 'node:test';

interface Closable {
  close(): void | Promise<void>;
}

/** Closes these one after the other, in this order, after the last test of the file. */
export function closeAfterTests(...opened: readonly Closable[]): void {
  after(async () => {
    for (const each of opened) await each.close();
  });
}

/** For `await using`: closes it at the end of the block. */
export function closing<T extends Closable>(opened: T): T & AsyncDisposable {
  return Object.assign(opened, { [Symbol.asyncDispose]: async () => await opened.close() });
}
