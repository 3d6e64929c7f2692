import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createRunFolder } from '../../lab/cache.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { poll } from '../../lab/process.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { startVictoriaMetrics, startVmagent } from '../../lab/servers/victoriametrics.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { makeCertificates } from '../../support/security/certificates.ts';
import { Outputs } from '../../support/security/leaks.ts';
import { Produced, ROUTE } from '../../support/security/series.ts';
import { TlsGate } from '../../support/security/tls-gate.ts';

/**
 * The connection to vmagents: one asks for a user name and a password itself, the other stands behind a gate that
 * wants a client certificate and a bearer token.
 */
const PASSWORD = 'basic-horse-4721';
const TOKEN = 'bearer.token-4722';
const NEXT_TOKEN = 'bearer.token-4723';
/** For what may take long on a machine with other things to do. */
const PATIENT = { timeoutMs: 180_000 };

const outputs = new Outputs();
const secrets = createRunFolder('node-secrets');
const passwordFile = path.join(secrets, 'password');
const tokenFile = path.join(secrets, 'token');

const certificates = makeCertificates();
writeFileSync(passwordFile, `${PASSWORD}\n`);
writeFileSync(tokenFile, `${TOKEN}\n`);
const [kafka, storage] = await Promise.all([startKafka(), startVictoriaMetrics()]);
const remoteWriteUrl = storage.remoteWriteUrl;
const login = ['-httpAuth.username=penstock', `-httpAuth.password=${PASSWORD}`];
const agents = await Promise.all([
  startVmagent({ remoteWriteUrl, labels: { vmagent: 'basic' }, extraArgs: login }),
  startVmagent({ remoteWriteUrl, labels: { vmagent: 'gated' } }),
]);
const gate = await TlsGate.start({
  target: agents[1]!.url,
  certificate: certificates.server,
  clientCa: certificates.ca,
  token: TOKEN,
});
const { cert, key } = certificates.client;
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [ROUTE],
  nodes: [
    {
      name: 'basic',
      url: agents[0]!.url,
      basic_auth: { username: 'penstock', password_file: passwordFile },
      allow_insecure: true,
    },
    {
      name: 'gated',
      url: gate.url,
      bearer_token_file: tokenFile,
      tls: { ca_file: certificates.ca, cert_file: cert, key_file: key },
    },
  ],
  drain: { backoff_max: '1s' },
});
const started = ['basic', 'gated'].map((node) =>
  penstock.start(['drain'], { PENSTOCK_DRAIN_NODE: node, PENSTOCK_LOG_LEVEL: 'trace' }),
);
const worker = await penstock.start(['worker'], { PENSTOCK_LOG_LEVEL: 'trace' });
const drains = await Promise.all(started);
for (const { process } of [worker, ...drains]) outputs.add(process.name, () => process.log());
closeAfterTests(penstock, gate, ...agents, storage, kafka);

/** Samples that storage has, by the vmagent that they came through. */
async function stored(): Promise<Map<string, number>> {
  await storage.flush();
  const series = await storage.exportSeries('{__name__="http_requests_total"}');
  const counts = new Map<string, number>();
  for (const { metric, values } of series) {
    const agent = metric['vmagent']!;
    counts.set(agent, (counts.get(agent) ?? 0) + values.length);
  }
  return counts;
}

async function allStored(samples: number): Promise<Map<string, number>> {
  let counts = new Map<string, number>();
  const total = () => [...counts.values()].reduce((sum, count) => sum + count, 0);
  await poll(
    async () => {
      counts = await stored();
      return total() >= samples;
    },
    PATIENT,
    () => new Error(`${total()} of ${samples} samples are stored`),
  );
  assert.equal(total(), samples);
  return counts;
}

let produced: Produced;

test('drains deliver by basic auth, and by a bearer token with client certificate and TLS', async () => {
  produced = new Produced(penstock);
  await produced.more();
  const counts = await allStored(produced.samples);
  assert.deepEqual([...counts.keys()].sort(), ['basic', 'gated']);
  assert.ok(gate.accepted > 0);
});

test('a token that is refused is tried until its file has the next one, and nothing is lost', async () => {
  const gated = drains[1]!;
  gate.token = NEXT_TOKEN;
  await produced.more();
  await gated.process.waitForLog(
    /"level":"error"[^\n]*answered 401[^\n]*the node refuses the login/,
    PATIENT,
  );
  writeFileSync(tokenFile, `${NEXT_TOKEN}\n`);
  await allStored(produced.samples);
  assert.equal(gated.process.exit, undefined);
  assert.ok(gate.refused > 0);
});

test('no process has printed or served a secret, also where the node repeats it', async () => {
  for (const { process, admin } of drains) await outputs.addPages(process.name, admin);
  assert.ok(outputs.text().includes('********'), 'the answers of the gate are in the log, without the token');
  assert.deepEqual(outputs.leaks({ PASSWORD, TOKEN, NEXT_TOKEN }), []);
});
