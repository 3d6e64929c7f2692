import { splitAddress } from '../../core/options/address.ts';
import { AdminServer, type Readiness } from '../../io/telemetry/admin-server.ts';
import { createLog, type Logger, setLevel } from '../../io/telemetry/log.ts';
import { Metrics, tellConfig } from '../../io/telemetry/metrics.ts';
import { DONE, parseCommand } from '../commands/command.ts';
import { version } from '../commands/version.ts';
import { type Config, loadConfig } from '../config/load.ts';
import type { ReloadingCommand } from '../config/reload-effects.ts';
import { endSoon, live, type Phase, type Service, signalled } from './life.ts';
import { Reloader } from './reloader.ts';

export interface ServiceSpec<S extends Service> {
  readonly name: ReloadingCommand;
  readonly help: string;
  readonly create: (config: Config, metrics: Metrics, log: Logger) => S;
  /** Puts a new configuration in force; if it throws, nothing has changed. */
  readonly reload: (service: S, config: Config) => Promise<void>;
}

/**
 * Runs a service: configuration, log, admin server, signals, exit code.
 *
 * SIGTERM and SIGINT stop it softly; a second one ends it at once. SIGHUP and POST /-/reload put the files' current
 * configuration in force.
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
  const reloader = new Reloader({
    command: spec.name,
    config,
    load,
    apply: (next) => spec.reload(service, next),
    inForce: ({ log: { level }, hash }) => {
      setLevel(log, level);
      if (service.scrape === undefined) tellConfig(metrics, hash);
    },
    metrics,
    log,
  });
  process.on('SIGHUP', () => void reloader.reload());
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
    status: async () => ({
      command: spec.name,
      phase,
      pid: process.pid,
      config_hash: reloader.config.hash,
      ...notReady(readiness()),
      ...(await service.status()),
    }),
    reload: () => reloader.reload(),
    reloadToken: () => reloader.config.admin.reload_token,
  });
  log.info({ admin: await admin.start(), config: args.configFile }, `${spec.name} starts`);

  const onPhase = (next: Phase) => {
    phase = next;
  };
  const asked = signalled(log);
  const inForce = () => reloader.config;
  const { code } = await live(service, { name: spec.name, config: inForce, log, asked, onPhase });
  await admin.close();
  endSoon(code, log);
  return code;
}

function notReady(state: Readiness): { readonly not_ready?: string } {
  return state.ready ? {} : { not_ready: state.reason };
}
