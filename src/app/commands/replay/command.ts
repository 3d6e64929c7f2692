import { printable, printableLines } from '../../../core/model/printable.ts';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../../io/kafka/client.ts';
import type { Config } from '../../config/load.ts';
import { ProgressLine } from '../text/progress-line.ts';

/** What every action is given. */
export interface ReplayCommand {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly json: boolean;
}

/** What a replay says on standard error: lines, and on a terminal a line that shows how far it is. */
export class StatusLine {
  readonly #line = new ProgressLine();
  readonly isTerminal = process.stderr.isTTY === true;

  say(message: string): void {
    this.#line.clear();
    process.stderr.write(`${printableLines(message)}\n`);
  }

  /** Replaces the line before it; nothing where there is no terminal. */
  show(line: string): void {
    this.#line.show(printable(line).slice(0, Math.max(20, (process.stderr.columns || 80) - 1)));
  }

  clear(): void {
    this.#line.clear();
  }
}
