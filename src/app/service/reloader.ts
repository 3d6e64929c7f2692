import { ConfigError, errorMessage } from '../../core/model/errors.ts';
import type { PreparedChange } from '../../core/model/prepared-change.ts';
import type { ReloadAnswer } from '../../io/telemetry/admin-server.ts';
import type { Logger } from '../../io/telemetry/log.ts';
import type { Metrics } from '../../io/telemetry/metrics.ts';
import { epochMs } from '../../io/time/clock.ts';
import { sleep } from '../../io/time/sleep.ts';
import type { Config } from '../config/load.ts';
import { type ReloadingCommand, reloadPlan } from '../config/reload-effects.ts';
import { formatWarnings, warningsOf } from '../config/warnings.ts';

export interface ReloaderOptions {
  readonly command: ReloadingCommand;
  /** The configuration that the service began with. */
  readonly config: Config;
  /** Reads and checks the files as they are now. @throws ConfigError */
  readonly load: () => Config;
  /** Puts a configuration in force, or throws and changes nothing. */
  readonly apply: (config: Config) => Promise<void>;
  /** Called with each configuration in force, the first included. */
  readonly inForce: (config: Config) => void;
  readonly metrics: Metrics;
  readonly log: Logger;
}

/**
 * Puts the files' configuration in force while the service runs: all of it, or nothing. If a changed key needs a
 * restart, the reload is refused, and the key named.
 *
 * One reload at a time; requests made meanwhile share the next one, which reads the files again.
 */
export class Reloader {
  readonly #options: ReloaderOptions;
  #config: Config;
  #running: Promise<unknown> = Promise.resolve();
  #next: Promise<ReloadAnswer> | undefined;

  constructor(options: ReloaderOptions) {
    this.#options = options;
    this.#config = options.config;
    for (const result of ['applied', 'refused']) options.metrics.reloads.inc({ result }, 0);
    this.#succeeded(options.config);
  }

  /** The configuration in force. */
  get config(): Config {
    return this.#config;
  }

  /** Resolves to the outcome; never rejects. */
  reload(): Promise<ReloadAnswer> {
    this.#next ??= this.#running.then(() => {
      this.#next = undefined;
      const answer = this.#reload();
      this.#running = answer;
      return answer;
    });
    return this.#next;
  }

  async #reload(): Promise<ReloadAnswer> {
    const { command, load, apply, metrics, log } = this.#options;
    try {
      const config = load();
      const { applied, restart, unused } = reloadPlan(command, this.#config, config);
      if (restart.length > 0) throw new ConfigError(needsRestart(config, restart));
      await apply(config);
      this.#config = config;
      metrics.reloads.inc({ result: 'applied' });
      this.#succeeded(config);
      log.info({ applied, unused, config_hash: config.hash }, 'configuration reloaded');
      return { applied: true, text: reloaded(command, applied, unused, config.hash) };
    } catch (error) {
      metrics.reloads.inc({ result: 'refused' });
      metrics.reloadSuccessful.set(0);
      const reason = errorMessage(error);
      log.error({ error: reason }, 'the new configuration was refused; the old one stays in force');
      return {
        applied: false,
        text: `${reason}\nNothing has changed; the old configuration stays in force.`,
      };
    }
  }

  #succeeded(config: Config): void {
    const { metrics, inForce, log } = this.#options;
    metrics.reloadSuccessful.set(1);
    metrics.reloadSuccess.set(epochMs() / 1000);
    for (const warning of formatWarnings(warningsOf(config))) log.warn({ warning }, 'configuration warning');
    inForce(config);
  }
}

/** Preparing reads topics, which does not end while Kafka is away, and a client of the admin server waits for it. */
const PREPARE_MS = 15_000;

/**
 * Prepares a change and commits it, if it is ready within `limitMs`.
 *
 * @throws ConfigError if it is not, and what `prepare` throws; nothing has changed then
 */
export async function changeInTime(
  prepare: () => Promise<PreparedChange>,
  limitMs = PREPARE_MS,
): Promise<void> {
  const prepared = prepare();
  const enough = new AbortController();
  const change = await Promise.race([prepared, sleep(limitMs, enough.signal)]);
  enough.abort();
  if (change === undefined) {
    prepared.then(
      (late) => late.discard(),
      () => undefined,
    );
    throw new ConfigError(`it could not be checked within ${limitMs} ms: does Kafka answer?`);
  }
  change.commit();
}

function needsRestart({ file, positions }: Config, keys: readonly string[]): string {
  const lines = keys.map((key) => {
    const path = key.split(/[.[\]]+/).map((step) => (/^\d+$/.test(step) ? Number(step) : step));
    return `${positions.locate(path)}: ${key}: changed, and takes effect at a restart only`;
  });
  return `${lines.join('\n')}\nRestart the process, or put ${keys.length === 1 ? 'it' : 'them'} back in ${file} and reload.`;
}

function reloaded(
  command: ReloadingCommand,
  applied: readonly string[],
  unused: readonly string[],
  hash: string,
): string {
  const lines = [`Reloaded; configuration ${hash} is in force.`];
  if (applied.length === 0) lines.push(`Nothing of it that a ${command} goes by has changed.`);
  for (const key of applied) lines.push(`changed: ${key}`);
  for (const key of unused) lines.push(`not for a ${command}: ${key}`);
  return lines.join('\n');
}
