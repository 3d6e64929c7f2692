import { splitAddress } from '../address-options.ts';
import { type Config, loadConfig } from '../config/load.ts';
import { errorMessage } from '../model/errors.ts';
import { AdminServer, type Readiness } from '../telemetry/admin-server.ts';
import { createLog, type Logger } from '../telemetry/log.ts';
import { Metrics } from '../telemetry/metrics.ts';
import { DONE, parseCommand } from './command.ts';
import { endSoon, live, type Phase, type Service, signalled } from './service-life.ts';
import { version } from './version.ts';

export interface ServiceSpec<S extends Service> {
  readonly name: string;
  readonly help: string;
  readonly create: (config: Config, metrics: Metrics, log: Logger) => S;
  /** Puts a new configuration in force, as far as that goes without a restart. Absent: nothing to reload. */
  readonly reload?: (service: S, config: Config) => Promise<void>;
}

/**
 * Runs a service: configuration, log, admin server, signals, exit code.
 *
 * SIGTERM and SIGINT stop it softly; a second one ends it at once. SIGHUP and POST /-/reload load the
 * configuration anew.
 */
export async function runService<S extends Service>(argv: string[], spec: ServiceSpec<S>): Promise<number> {
  const args = parseCommand(argv, { name: spec.name, help: spec.help });
  if (args === undefined) return DONE;
  const load = () => loadConfig({ file: args.configFile, env: process.env });
  const config = load();
  const log = createLog(config.log.level, spec.name);
  const metrics = new Metrics();
  const service = spec.create(config, metrics, log);
  metrics.build.set({ version: version(), nodejs_version: process.version, command: spec.name }, 1);

  let phase: Phase = 'starting';
  const apply = spec.reload;
  const reload = apply && reloader(() => apply(service, load()), metrics, log);
  const readiness = (): Readiness =>
    phase === 'running' ? service.readiness() : { ready: false, reason: `${spec.name} is ${phase}` };
  const admin = new AdminServer({
    listen: splitAddress(config.admin.listen),
    metrics: () => {
      service.collect();
      metrics.ready.set(readiness().ready ? 1 : 0);
      return service.scrape?.() ?? metrics.registry.metrics();
    },
    health: () => service.health?.() ?? { ready: true },
    readiness,
    status: async () => ({ command: spec.name, phase, pid: process.pid, ...(await service.status()) }),
    ...(reload === undefined ? {} : { reload }),
    reloadToken: config.admin.reload_token,
  });
  log.info({ admin: await admin.start(), config: args.configFile }, `${spec.name} starts`);

  process.on('SIGHUP', () => void reload?.());
  const onPhase = (next: Phase) => {
    phase = next;
  };
  const { code } = await live(service, { name: spec.name, config, log, asked: signalled(log), onPhase });
  await admin.close();
  endSoon(code, log);
  return code;
}

/** A reload that answers with what was wrong, one at a time, by signal or over HTTP. An invalid configuration leaves the old one in force. */
function reloader(
  apply: () => Promise<void>,
  metrics: Metrics,
  log: Logger,
): () => Promise<string | undefined> {
  let running: Promise<unknown> = Promise.resolve();
  const reload = async () => {
    try {
      await apply();
      metrics.reloads.inc({ result: 'applied' });
      log.info('configuration reloaded');
      return undefined;
    } catch (error) {
      metrics.reloads.inc({ result: 'refused' });
      log.error(
        { error: errorMessage(error) },
        'the new configuration was refused; the old one stays in force',
      );
      return errorMessage(error);
    }
  };
  return () => {
    const turn = running.then(reload);
    running = turn;
    return turn;
  };
}
