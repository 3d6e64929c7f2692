import type { PreparedChange } from '../../core/model/prepared-change.ts';
import { createLog, type Logger, setLevel } from '../../io/telemetry/log.ts';
import { Metrics, tellConfig } from '../../io/telemetry/metrics.ts';
import { SupervisorLink } from '../../services/supervisor/link.ts';
import type { ConfigTexts } from '../../services/supervisor/messages.ts';
import { FAILED, parseCommand, WRONG_USAGE } from '../commands/command.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { endSoon, isForTheOperator, live, type Phase, type Service, signalled } from './life.ts';

export interface SupervisedSpec<S extends Service> {
  readonly name: string;
  readonly create: (config: Config, metrics: Metrics, log: Logger) => S;
  /** Prepares a change to another configuration. */
  readonly prepare: (service: S, config: Config) => Promise<PreparedChange>;
}

/**
 * Runs a service as process `index` of a supervisor, which speaks for it to the operator, gives it its configuration
 * and tells it when to stop. Losing the supervisor counts as being told to stop.
 */
export async function runSupervised<S extends Service>(
  index: number,
  argv: string[],
  spec: SupervisedSpec<S>,
): Promise<number> {
  const link = new SupervisorLink(process);
  const args = parseCommand(argv, { name: spec.name, help: '' });
  const load = (texts: ConfigTexts) => loadConfig({ file: args!.configFile, env: process.env, texts });
  const metrics = new Metrics();
  let config: Config;
  let log: Logger;
  let service: S;
  try {
    config = load(await link.configuration);
    log = createLog(config.log.level, spec.name, index);
    service = spec.create(config, metrics, log);
  } catch (error) {
    if (!isForTheOperator(error)) throw error;
    await link.unable(error.message, true);
    process.disconnect?.();
    return WRONG_USAGE;
  }

  tellConfig(metrics, config.hash);
  let phase: Phase = 'starting';
  link.serve({
    report: async () => {
      service.collect();
      return {
        running: phase !== 'starting',
        readiness: service.readiness(),
        status: { ...(await service.status()), config_hash: config.hash },
        metrics: await metrics.registry.getMetricsAsJSON(),
      };
    },
    prepare: async (texts) => {
      const next = load(texts);
      const change = await spec.prepare(service, next);
      return {
        commit: () => {
          change.commit();
          config = next;
          setLevel(log, next.log.level);
          tellConfig(metrics, next.hash);
          log.info({ config_hash: next.hash }, 'configuration reloaded');
        },
        discard: () => change.discard(),
      };
    },
  });
  log.info('process starts');
  // A terminal sends SIGHUP to all processes; the supervisor alone acts on it.
  process.on('SIGHUP', () => undefined);
  const stop = link.stop.then((why) => log.info(`stopping: ${why}`));
  const asked = Promise.race([stop, signalled(log)]);
  const onPhase = (next: Phase) => {
    phase = next;
    void link.report();
  };
  const { code, error } = await live(service, { name: spec.name, config: () => config, log, asked, onPhase });
  await link.close();
  if (isForTheOperator(error)) await link.unable(error.message, code !== FAILED);
  process.disconnect?.();
  endSoon(code, log);
  return code;
}
