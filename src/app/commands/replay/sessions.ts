import { ConfigError } from '../../../core/model/errors.ts';
import { FatalKafkaError } from '../../../io/kafka/errors.ts';
import { BatchLimit } from '../../../io/kafka/produce/send-rounds.ts';
import { sleep } from '../../../io/time/sleep.ts';
import { Journal, readReplay } from '../../../services/replay/journal.ts';
import type { ReplaySession } from '../../../services/replay/replay.ts';
import { replayGroup, type StoredReplay } from '../../../services/replay/stored-replay.ts';
import type { ReplayCommand } from './command.ts';
import type { OpenTarget } from './target.ts';

/** A replay before its first step. */
export type NewReplay = Omit<StoredReplay, 'run' | 'phase' | 'updatedMs'>;

/** Time until a committed transaction is visible everywhere, in ms. */
const SETTLED_MS = 2_000;

/** Another process goes on with the replay. */
export class TakenOverError extends FatalKafkaError {
  constructor(id: string) {
    super(
      `replay ${id} was resumed by another process, which goes on where this one was; this one ends. ` +
        'Nothing is lost or written twice into Kafka by that',
    );
  }
}

/** Opens journal and target, again after each error. */
export class Sessions {
  readonly #command: ReplayCommand;
  readonly #of: { readonly replay: NewReplay; readonly run: string; readonly resumed: boolean };
  readonly #openTarget: OpenTarget;
  /** Shared by all sessions, so that a size limit learnt from a broker is kept. */
  readonly #limit = new BatchLimit();
  #journal: Journal | undefined;
  /** True once it is stored that this process runs the replay. */
  begun = false;

  constructor(
    command: ReplayCommand,
    of: { readonly replay: NewReplay; readonly run: string; readonly resumed: boolean },
    openTarget: OpenTarget,
  ) {
    this.#command = command;
    this.#of = of;
    this.#openTarget = openTarget;
  }

  /** The stored replay, as this process last saw it. */
  get stored(): StoredReplay | undefined {
    return this.#journal?.replay;
  }

  /** Deletes the replay from Kafka if it has stored no step. @returns whether it is deleted */
  async forget(): Promise<boolean> {
    const stored = this.stored;
    if (stored === undefined || stored.counts.records > 0) return false;
    const client = await this.#command.admin.client();
    return await client.deleteGroups([replayGroup(stored.id)]).then(
      () => true,
      () => false,
    );
  }

  async open(): Promise<ReplaySession> {
    const { config, connection, admin } = this.#command;
    const { replay, run } = this.#of;
    const { id } = replay;
    // Opening fences the current owner, which must not happen to a process that has taken the replay over.
    if (this.begun && (await this.#isAnothers())) throw new TakenOverError(id);
    const { transaction_timeout: transactionTimeoutMs } = config.worker;
    const options = { id, run, transactionTimeoutMs, limit: this.#limit };
    const journal = await Journal.open(connection, admin, options);
    try {
      if (this.begun && journal.replay === undefined) throw this.#forgotten();
      if (!journal.owned) await this.#begin(journal);
      // Renewed at every opening, so that brokers do not expire the replay before anything can be written.
      else await journal.mark('running');
      this.begun = true;
      this.#journal = journal;
      const target = await this.#openTarget(journal);
      return {
        target,
        partitions: journal.replay!.partitions,
        keep: () => journal.mark('running'),
        close: async (stopped) => {
          try {
            if (stopped) await journal.mark('stopped');
          } finally {
            await journal.close();
          }
        },
      };
    } catch (error) {
      // Such as a missing file: this process gives up, and the list shows the replay as stopped.
      if (journal.owned && error instanceof ConfigError) await journal.mark('stopped').catch(() => undefined);
      await journal.close().catch(() => undefined);
      throw error;
    }
  }

  /** Whether another process runs the replay. Reads twice: a commit becomes visible only a moment after its end. */
  async #isAnothers(): Promise<boolean> {
    const { replay, run } = this.#of;
    const look = async () => {
      const stored = await readReplay(this.#command.admin, replay.id);
      return stored !== undefined && stored.run !== run;
    };
    if (!(await look())) return false;
    await sleep(SETTLED_MS);
    return await look();
  }

  /** Error for a replay that Kafka has expired, which is neither taken over nor never begun. */
  #forgotten(): FatalKafkaError {
    const { id, partitions } = this.stored ?? this.#of.replay;
    const positions = [...partitions]
      .map(([partition, { position }]) => `${partition}:${position}`)
      .join(', ');
    return new FatalKafkaError(
      `Kafka has forgotten replay ${id} while it waited (offsets.retention.minutes of the brokers, or its group was ` +
        `deleted). As far as this process knows it was, as partition:offset, at ${positions}; begin a new one from there`,
    );
  }

  async #begin(journal: Journal): Promise<void> {
    const { replay, resumed } = this.#of;
    if (this.begun) throw new TakenOverError(replay.id);
    if (!resumed && journal.replay !== undefined)
      throw new FatalKafkaError(
        `replay ${replay.id} was begun by another process just now; choose another --id`,
      );
    await journal.begin(journal.replay ?? replay);
  }
}
