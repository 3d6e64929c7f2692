import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { createRunFolder } from '../../lab/cache.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { type PenstockProcess, runPenstock, spawnPenstock } from '../../lab/deployment/penstock.ts';
import type { Running } from '../../lab/deployment/running.ts';
import { poll } from '../../lab/process.ts';
import { type Certificates, makeCertificates } from '../../support/security/certificates.ts';
import { Outputs } from '../../support/security/leaks.ts';
import { type SecureKafka, startSecureKafka } from '../../support/security/secure-kafka.ts';
import { Produced, ROUTE } from '../../support/security/series.ts';
import { TokenServer } from '../../support/security/token-server.ts';

/** The connection to Kafka: a real broker, real tokens, real certificates, workers as processes. */
const USER = 'penstock';
const PASSWORD = 'correct-horse-4711';
const WRONG_PASSWORD = 'wrong-battery-4712';
const OTHER_PASSWORD = 'rotated-staple-4713';
const CLIENT_SECRET = 'client/secret+4714';
const WRONG_CLIENT_SECRET = 'no/secret+4715';
const TOKEN_LIFE_SECONDS = 20;
/** For what may take long on a machine with other things to do. */
const PATIENT = { timeoutMs: 180_000 };
/** Everything that Penstock and kafkajs can say. */
const LOUD = {
  PENSTOCK_LOG_LEVEL: 'trace',
  KAFKAJS_LOG_LEVEL: 'debug',
  KAFKAJS_DEBUG_PROTOCOL_BUFFERS: '1',
  KAFKAJS_DEBUG_EXTENDED_PROTOCOL_BUFFERS: '1',
};

type Settings = Record<string, unknown>;

interface Worker extends Running {
  readonly penstock: Deployment;
  readonly produced: Produced;
}

const outputs = new Outputs();
let certificates: Certificates;
let tokens: TokenServer;
let kafka: SecureKafka;
let scram: Worker;
let mutual: Worker;
let oauth: Worker;
/** Tokens handed out when the workers had begun. */
let firstTokens = 0;

before(async () => {
  certificates = makeCertificates();
  tokens = await TokenServer.start({
    clientId: USER,
    clientSecret: CLIENT_SECRET,
    lifeSeconds: TOKEN_LIFE_SECONDS,
    certificate: certificates.server,
  });
  kafka = await startSecureKafka({ certificates, tokens, username: USER, password: PASSWORD });
});

after(async () => {
  await Promise.allSettled([scram, mutual, oauth].map((worker) => worker?.penstock.close()));
  tokens?.close();
  await kafka?.cluster.close();
});

const tls = (): Settings => ({ enabled: true, ca_file: certificates.ca });
const clientTls = ({ cert, key }: { cert: string; key: string }): Settings => ({
  ...tls(),
  cert_file: cert,
  key_file: key,
});

function byPassword(mechanism: string): Settings {
  return { brokers: [kafka.password], tls: tls(), sasl: { mechanism, username: USER } };
}

function byToken(extra: Settings = {}): Settings {
  const sasl = {
    mechanism: 'oauthbearer',
    token_url: tokens.tokenUrl,
    token_ca_file: certificates.ca,
    oauth_client_id: USER,
    ...extra,
  };
  return { brokers: [kafka.oauth], sasl: { ...sasl, allow_insecure: true } };
}

/** The environment that hands over a secret as a file, as orchestrators do. */
function secretFile(variable: string, secret: string): Record<string, string> {
  const file = path.join(createRunFolder('secret'), 'secret');
  writeFileSync(file, `${secret}\n`);
  return { [`${variable}_FILE`]: file };
}

const password = (secret: string) => secretFile('PENSTOCK_KAFKA_SASL_PASSWORD', secret);
const clientSecret = (secret: string) => secretFile('PENSTOCK_KAFKA_SASL_OAUTH_CLIENT_SECRET', secret);

async function startWorker(settings: Settings, env: Record<string, string> = {}): Promise<Worker> {
  const penstock = await Deployment.create({
    brokers: kafka.cluster.brokers,
    kafka: settings,
    routes: [ROUTE],
    env,
  });
  return { ...(await start(penstock, env)), penstock, produced: new Produced(penstock) };
}

async function start(penstock: Deployment, env: Record<string, string>): Promise<Running> {
  const running = await penstock.start(['worker'], { ...LOUD, ...env });
  outputs.add(running.process.name, () => running.process.log());
  return running;
}

/** Produces one more round, and holds what the worker published against all rounds. */
async function worksOn({ produced }: Worker): Promise<void> {
  await produced.more();
  assert.deepEqual(await produced.arrived(), { samples: produced.samples, repeated: 0 });
}

test('workers read and publish over SCRAM-SHA-512 with TLS, mutual TLS, and OAUTHBEARER', async () => {
  [scram, mutual, oauth] = await Promise.all([
    startWorker(byPassword('scram-sha-512'), password(PASSWORD)),
    startWorker({ brokers: [kafka.mutual], tls: clientTls(certificates.client) }),
    startWorker(byToken(), clientSecret(CLIENT_SECRET)),
  ]);
  firstTokens = tokens.tokens.length;
  assert.ok(firstTokens > 0);
  await Promise.all([scram, mutual, oauth].map(worksOn));
});

describe('a command logs in', { concurrency: true }, () => {
  for (const mechanism of ['plain', 'scram-sha-256']) {
    test(`by ${mechanism}`, async () => {
      const configFile = writeConfig(byPassword(mechanism));
      const env = { ...LOUD, ...password(PASSWORD) };
      const result = await runPenstock(['topics', 'plan'], { configFile, env });
      outputs.add(`topics plan by ${mechanism}`, result.stdout + result.stderr);
      assert.equal(result.stderr, '');
      assert.match(result.stdout, /metrics\.raw/);
    });
  }
});

const REFUSED = 'what is refused at the start ends a worker with exit code 1 and one line that says why';
describe(REFUSED, { concurrency: 4 }, () => {
  const refusals: Record<
    string,
    {
      kafka: () => Settings;
      env?: () => Record<string, string>;
      says: RegExp;
      /** What a connection fails with on the way may be several things. */
      causes?: true;
    }
  > = {
    'a wrong password': {
      kafka: () => byPassword('scram-sha-512'),
      env: () => password(WRONG_PASSWORD),
      says: /refuses the login by scram-sha-512: .*invalid credentials.*; expected other kafka\.sasl\.username and password/,
    },
    "a broker's expired certificate": {
      kafka: () => ({ brokers: [kafka.expired], tls: tls() }),
      says: /certificate has expired; the other side's certificate has expired/,
    },
    'an unknown authority': {
      kafka: () => ({ brokers: [kafka.mutual], tls: { enabled: true, ca_file: certificates.strangerCa } }),
      says: /unknown authority; expected that authority's in kafka\.tls\.ca_file/,
    },
    'a certificate for another name': {
      kafka: () => ({ brokers: [kafka.mutual], tls: { ...tls(), server_name: 'other.test' } }),
      says: /for another name; expected that name in kafka\.tls\.server_name/,
    },
    "a client's expired certificate": {
      kafka: () => ({ brokers: [kafka.mutual], tls: clientTls(certificates.expiredClient) }),
      says: /TLS alert .*; the other side refuses our certificate.*kafka\.tls\.cert_file/,
    },
    'a wrong client secret': {
      kafka: () => byToken(),
      env: () => clientSecret(WRONG_CLIENT_SECRET),
      says: /token_url https:.* it answered 401 invalid_client; expected other kafka\.sasl\.oauth_client_id/,
    },
    'a login where none is taken': {
      kafka: () => ({ ...byPassword('scram-sha-512'), brokers: kafka.cluster.brokers, tls: {} }),
      env: () => password(PASSWORD),
      says: /takes no login there, and kafka\.sasl\.mechanism is scram-sha-512; expected .*SASL, or mechanism: none/,
      causes: true,
    },
    'no login where one is wanted': {
      kafka: () => ({ brokers: [kafka.password], tls: tls() }),
      says: /wants a login there by plain, scram-sha-256, scram-sha-512, and kafka\.sasl\.mechanism is none; expected/,
      causes: true,
    },
    'no login in plain text where one is wanted': {
      kafka: () => ({ brokers: [kafka.oauth] }),
      says: /wants a login there by oauthbearer, and kafka\.sasl\.mechanism is none; expected/,
      causes: true,
    },
    'a mechanism that the listener does not have': {
      kafka: () => ({ ...byPassword('scram-sha-256'), brokers: [kafka.oauth], tls: {} }),
      env: () => password(PASSWORD),
      says: /wants a login there by oauthbearer, and kafka\.sasl\.mechanism is scram-sha-256; expected/,
      causes: true,
    },
    'TLS where none is spoken': {
      kafka: () => ({ brokers: kafka.cluster.brokers, tls: tls() }),
      says: /speaks no TLS there, and kafka\.tls\.enabled is true; expected/,
      causes: true,
    },
    'plain text where TLS is spoken': {
      kafka: () => ({ brokers: [kafka.mutual] }),
      says: /speaks TLS there, and kafka\.tls\.enabled is false; expected enabled: true/,
      causes: true,
    },
    'a token endpoint of an unknown authority': {
      kafka: () => byToken({ token_ca_file: certificates.strangerCa }),
      env: () => clientSecret(CLIENT_SECRET),
      says: /unknown authority; expected that authority's in kafka\.sasl\.token_ca_file/,
    },
  };

  for (const [what, { kafka: settings, env = () => ({}), says, causes }] of Object.entries(refusals)) {
    test(what, async () => {
      const worker = spawnWorker(settings(), env());
      const { code } = await worker.waitForExit(PATIENT);
      const lines = logLines(worker);
      const [fatal, ...more] = lines.filter(({ level }) => level === 'fatal' || level === 'error');
      assert.equal(fatal?.level, 'fatal', worker.log());
      assert.deepEqual(more, []);
      assert.match(fatal.msg, says);
      // What was met twice is said before it is known to stay, and a busy machine is late with anything.
      const isOther = (cause: string) => !fatal.msg.includes(cause) && !/timeout|timed out/i.test(cause);
      const warnings = causes ? [] : lines.filter(({ level }) => level === 'warn');
      assert.deepEqual(
        warnings.filter(({ msg, error = msg }) => isOther(error)),
        [],
      );
      assert.equal(code, 1);
    });
  }
});

test('a connection outlives its token: the worker logs in again with a new one', async () => {
  // Nobody else has asked for a token since; the worker may have its second already.
  await poll(
    () => tokens.tokens.length > firstTokens,
    PATIENT,
    () => new Error(`${tokens.tokens.length} tokens were asked for, as at the start`),
  );
  await worksOn(oauth);
});

test('a token endpoint that is down at the start is waited for', async () => {
  tokens.down = true;
  const worker = spawnWorker(byToken(), clientSecret(CLIENT_SECRET));
  await worker.waitForLog(/no connection to Kafka yet/, PATIENT);
  assert.match(worker.log(), /No token from kafka\.sasl\.token_url [^"]*: it answered 503/);
  tokens.down = false;
  // Its topics do not exist: that it says so shows that it got through.
  const { code } = await worker.waitForExit(PATIENT);
  assert.match(worker.log(), /topic metrics\.raw does not exist/);
  assert.equal(code, 1);
});

test('credentials that are refused later are tried until they hold again, and said so', async () => {
  const leaving = await start(scram.penstock, password(PASSWORD));
  const marks = new Map([scram, oauth, leaving].map(({ process }) => [process, process.log().length]));
  const since = ({ process }: Running) => process.log().slice(marks.get(process));
  const logs = (worker: Running, pattern: RegExp) =>
    worker.process.waitUntil(String(pattern), () => pattern.test(since(worker)), PATIENT);
  await kafka.changePassword(OTHER_PASSWORD);
  tokens.down = true;
  const node = kafka.cluster.node(0);
  await node.kill();
  await node.start();
  const refused = /"level":"warn"[^\n]*invalid credentials[^\n]*trying again/;
  const noToken = /"level":"warn"[^\n]*it answered 503[^\n]*trying again/;
  await Promise.all([logs(scram, refused), logs(leaving, refused), logs(oauth, noToken)]);
  // A worker stops cleanly also while it is refused.
  assert.deepEqual(await leaving.process.stop(PATIENT), { code: 0, signal: null });
  await kafka.changePassword(PASSWORD);
  tokens.down = false;
  const workers = [scram, mutual, oauth];
  await Promise.all(workers.map(worksOn));
  assert.deepEqual(
    workers.map(({ process }) => process.exit),
    [undefined, undefined, undefined],
  );
  const attempts = countRefusals(since(scram));
  assert.ok(attempts < 200, `${attempts} logins were refused: the worker spins`);
});

test('no process has printed or served a secret, at log level trace', async () => {
  const workers = Object.entries({ scram, mutual, oauth });
  await Promise.all(workers.map(([name, { admin }]) => outputs.addPages(name, admin)));
  const exits = await Promise.all(workers.map(([, { process }]) => process.stop(PATIENT)));
  assert.deepEqual(
    exits.map(({ code }) => code),
    [0, 0, 0],
  );
  const text = outputs.text();
  assert.match(text, /"level":"trace"/);
  assert.match(text, /SaslAuthenticator-SCRAM-SHA-512/);
  const secrets = { PASSWORD, WRONG_PASSWORD, OTHER_PASSWORD, CLIENT_SECRET, WRONG_CLIENT_SECRET };
  const signatures = tokens.tokens.map((token, at) => [`token ${at}`, token.split('.')[2]!]);
  assert.deepEqual(outputs.leaks({ ...secrets, ...Object.fromEntries(signatures) }), []);
  assert.ok(outputs.leaks({ 'what is there': 'SaslAuthenticator-SCRAM' }).length > 0);
});

function countRefusals(log: string): number {
  return log.split('\n').filter((line) => line.includes('SaslAuthenticator') && line.includes('failed'))
    .length;
}

function writeConfig(settings: Settings): string {
  const file = path.join(createRunFolder('security-config'), 'penstock.yml');
  writeFileSync(file, JSON.stringify({ kafka: settings, routes: [ROUTE] }));
  return file;
}

function spawnWorker(settings: Settings, env: Record<string, string>): PenstockProcess {
  const worker = spawnPenstock(['worker'], {
    configFile: writeConfig(settings),
    env: { PENSTOCK_ADMIN_LISTEN: '127.0.0.1:0', ...LOUD, ...env },
  });
  outputs.add(worker.name, () => worker.log());
  return worker;
}

interface LogLine {
  readonly level: string;
  readonly msg: string;
  readonly error?: string;
}

function logLines(worker: PenstockProcess): LogLine[] {
  return worker
    .log()
    .split('\n')
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line) as LogLine);
}
