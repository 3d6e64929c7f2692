import { printable, printableLines } from '../../../core/model/printable.ts';
import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../../io/kafka/client/connection.ts';
import type { Config } from '../../config/load.ts';
import { ProgressLine } from '../text/progress-line.ts';

/** Context shared by all `penstock replay` actions. */
export interface ReplayCommand {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly json: boolean;
}

/** Messages of a replay on standard error and, on a terminal, its progress line. */
export class StatusLine {
  readonly #line = new ProgressLine();
  readonly isTerminal = process.stderr.isTTY === true;

  say(message: string): void {
    this.#line.clear();
    process.stderr.write(`${printableLines(message)}\n`);
  }

  /** Replaces the progress line; does nothing without a terminal. */
  show(line: string): void {
    this.#line.show(printable(line).slice(0, Math.max(20, (process.stderr.columns || 80) - 1)));
  }

  clear(): void {
    this.#line.clear();
  }
}
