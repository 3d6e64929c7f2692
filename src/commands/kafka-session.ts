import { KafkaAdmin } from '../kafka/admin.ts';
import { KafkaConnection } from '../kafka/client.ts';
import { isRefused, KafkaSetupError } from '../kafka/errors.ts';
import { mismatchBehind } from '../kafka/mismatch.ts';
import type { KafkaOptions } from '../kafka/options.ts';
import { refusal } from '../kafka/refusal.ts';
import { errorMessage, RetryableError } from '../model/errors.ts';
import { printableLines } from '../model/printable.ts';
import { createLog } from '../telemetry/log.ts';
import { FAILED } from './command.ts';

/**
 * Runs a command that asks Kafka and ends. Gives the command's exit code; trouble with Kafka is told in a line
 * that says what to do, and is FAILED.
 */
export async function withKafkaAdmin(
  command: string,
  kafka: KafkaOptions,
  work: (admin: KafkaAdmin) => Promise<number>,
): Promise<number> {
  // Standard output is the command's result; what kafkajs would say comes as errors.
  const admin = new KafkaAdmin(new KafkaConnection(kafka, createLog('silent', command)));
  try {
    return await work(admin);
  } catch (error) {
    const told = (await mismatchBehind(error, kafka)) ?? explain(error, kafka);
    if (told === undefined) throw error;
    process.stderr.write(`penstock ${command}: ${printableLines(told)}\n`);
    return FAILED;
  } finally {
    await admin.close();
  }
}

function explain(error: unknown, kafka: KafkaOptions): string | undefined {
  if (error instanceof KafkaSetupError) return error.message;
  if (isRefused(error)) return refusal(error, kafka);
  if (!(error instanceof Error)) return undefined;
  if (!error.name.startsWith('KafkaJS') && !(error instanceof RetryableError)) return undefined;
  const where = `Kafka (${kafka.brokers.join(', ')})`;
  return `${where}: ${errorMessage(error)}; is it running, and are kafka.brokers and kafka.tls right?`;
}
