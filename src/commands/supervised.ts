import { type Config, loadConfig } from '../config/load.ts';
import { errorMessage } from '../model/errors.ts';
import { SupervisorLink } from '../supervisor/link.ts';
import type { ConfigTexts } from '../supervisor/messages.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { FAILED, parseCommand, WRONG_USAGE } from './command.ts';
import { endSoon, isForTheOperator, live, type Phase, type Service, signalled } from './service-life.ts';

export interface SupervisedSpec<S extends Service> {
  readonly name: string;
  readonly create: (config: Config, metrics: Metrics, log: Logger) => S;
  readonly reload: (service: S, config: Config) => Promise<void>;
}

/**
 * Runs a service as process `index` of a supervisor: that one speaks for it to the operator, gives it its
 * configuration, and tells it when to stop. A supervisor that is gone is the same as being told to.
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

  let phase: Phase = 'starting';
  link.serve({
    report: async () => {
      service.collect();
      return {
        running: phase !== 'starting',
        readiness: service.readiness(),
        status: await service.status(),
        metrics: await metrics.registry.getMetricsAsJSON(),
      };
    },
    reload: async (texts) => {
      try {
        await spec.reload(service, load(texts));
        return undefined;
      } catch (error) {
        return errorMessage(error);
      }
    },
  });
  log.info('process starts');
  // The terminal sends it to all; the supervisor decides.
  process.on('SIGHUP', () => undefined);
  const stop = link.stop.then((why) => log.info(`stopping: ${why}`));
  const asked = Promise.race([stop, signalled(log)]);
  const onPhase = (next: Phase) => {
    phase = next;
    void link.report();
  };
  const { code, error } = await live(service, { name: spec.name, config, log, asked, onPhase });
  await link.close();
  if (isForTheOperator(error)) await link.unable(error.message, code !== FAILED);
  process.disconnect?.();
  endSoon(code, log);
  return code;
}
