import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { createRunFolder } from '../../lab/cache.ts';
import { Deployment } from '../../lab/deployment/deployment.ts';
import { startKafka } from '../../lab/servers/kafka.ts';
import { startRegistry } from '../../lab/servers/registry.ts';
import { samplesOf } from '../../lab/truth/task-samples.ts';
import { closeAfterTests } from '../../support/closing.ts';
import { avroWriter, documentedSchema, frame } from '../../support/schemas.ts';
import { makeCertificates } from '../../support/security/certificates.ts';
import { Outputs } from '../../support/security/leaks.ts';
import { TlsGate } from '../../support/security/tls-gate.ts';

/** A registry behind TLS of an authority of its own, that wants a client certificate, a user name and a password. */
const USER = 'penstock';
const PASSWORD = 'registry-horse-5711';
const OTHER_PASSWORD = 'registry-horse-5712';
const PATIENT = { timeoutMs: 180_000 };
const AVSC = documentedSchema('metric-batch.avsc');

const outputs = new Outputs();

const basic = (password: string) => Buffer.from(`${USER}:${password}`).toString('base64');

const certificates = makeCertificates();
const [kafka, registry] = await Promise.all([startKafka(), startRegistry('secure-registry')]);
const gate = await TlsGate.start({
  target: new URL(registry.url).origin,
  certificate: certificates.server,
  clientCa: certificates.ca,
  scheme: 'Basic',
  token: basic(PASSWORD),
});
const { cert, key } = certificates.client;
const penstock = await Deployment.create({
  brokers: kafka.brokers,
  routes: [{ name: 'all', task: { labels: ['job'], count: 2 } }],
  registry: {
    url: `${gate.url}${new URL(registry.url).pathname}`,
    username: USER,
    password: PASSWORD,
    timeout: '2s',
    tls: { ca_file: certificates.ca, cert_file: cert, key_file: key },
  },
});
const passwordFile = path.join(createRunFolder('registry-secret'), 'password');
writeFileSync(passwordFile, `${PASSWORD}\n`);
const worker = await penstock.start(['worker'], {
  PENSTOCK_LOG_LEVEL: 'trace',
  PENSTOCK_REGISTRY_PASSWORD_FILE: passwordFile,
});
outputs.add('worker', () => worker.process.log());
closeAfterTests(penstock, gate, registry, kafka);

/** Writes a record in a schema of its own: it has to be asked for. */
async function produce(subject: string, value: number): Promise<void> {
  const schema = JSON.parse(AVSC);
  schema.doc = subject;
  const id = await registry.register(subject, 'AVRO', JSON.stringify(schema));
  const write = await avroWriter(schema);
  const samples = [{ timestamp: 1_760_000_000_000 + value, value }];
  const batch = { series: [{ labels: { __name__: 'm', job: subject }, samples }] };
  await penstock.produce([frame(id, write(batch))]);
}

async function arrived(): Promise<number[]> {
  await penstock.workersDone();
  const { samples } = samplesOf(await penstock.read(penstock.topic('all')));
  return [...samples.values()].sort();
}

test('schemas come over TLS with a client certificate and a password', async () => {
  await produce('first', 1);
  assert.deepEqual(await arrived(), [1]);
  assert.ok(gate.accepted > 0);
});

test('a password that is refused is waited out, and said so; nothing goes to the dead letters', async () => {
  gate.token = basic(OTHER_PASSWORD);
  await produce('second', 2);
  await worker.process.waitForLog(/"level":"(warn|error)"[^\n]*401/, PATIENT);
  assert.ok(gate.refused > 0);
  gate.token = basic(PASSWORD);
  assert.deepEqual(await arrived(), [1, 2]);
  assert.deepEqual(await penstock.read(penstock.dead), []);
});

test('the worker has printed and served no secret, also where the registry repeats it', async () => {
  await outputs.addPages('worker', worker.admin);
  assert.equal((await worker.process.stop(PATIENT)).code, 0);
  assert.deepEqual(outputs.leaks({ PASSWORD }), []);
});
