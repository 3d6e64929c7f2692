import { errorMessage } from '../../../core/model/errors.ts';
import { splitAddress } from '../../../core/options/address.ts';
import { plainTlsMessage } from '../../credentials/certificate-fault.ts';
import { TlsFiles } from '../../credentials/tls-files.ts';
import { isConnectionTrouble, kafkaErrorType } from '../errors.ts';
import { saysMechanismUnsupported } from '../patch/messages.ts';
import { type Listener, probeListener } from './listener-probe.ts';
import type { KafkaOptions } from './options.ts';

/** Timeout of a probe: a listener answers at once or not at all. */
const PROBE_MS = 3_000;

type Access = Pick<KafkaOptions, 'brokers' | 'tls' | 'sasl'>;

/**
 * One line on why connections to these brokers can never succeed, and what to do: TLS on one side only, or a login that
 * is missing or not offered. Undefined when no broker that answers shows such a mismatch.
 */
export async function accessMismatch(access: Access): Promise<string | undefined> {
  const { brokers, tls } = access;
  const files = tls.enabled ? new TlsFiles(tls, 'kafka.tls').current() : undefined;
  const found = await Promise.all(
    brokers.map(async (broker) => {
      const listener = await probeListener(splitAddress(broker), PROBE_MS, files);
      return listener && describeMismatch(broker, listener, access);
    }),
  );
  return found.find((each) => each !== undefined);
}

/**
 * `accessMismatch` for errors that may hide one: a broker hung up or refused a mechanism. Undefined for errors that
 * speak for themselves, such as an expired certificate or a wrong password.
 */
export async function mismatchBehind(error: unknown, access: Access): Promise<string | undefined> {
  const isUnclear =
    isConnectionTrouble(error) ||
    kafkaErrorType(error) === 'UNSUPPORTED_SASL_MECHANISM' ||
    saysMechanismUnsupported(errorMessage(error));
  if (!isUnclear) return undefined;
  const mismatch = await accessMismatch(access);
  return mismatch && `${mismatch} (${plainTlsMessage(errorMessage(error))})`;
}

/** The setting that does not match a listener, and what to do; undefined when they match as far as known. */
export function describeMismatch(
  broker: string,
  listener: Listener,
  { tls, sasl }: Access,
): string | undefined {
  const { mechanisms } = listener;
  if (tls.enabled && !listener.tls) {
    return `Kafka (${broker}) speaks no TLS there, and kafka.tls.enabled is true; expected the address of a listener with TLS, or enabled: false`;
  }
  if (!tls.enabled && listener.tls) {
    return `Kafka (${broker}) speaks TLS there, and kafka.tls.enabled is false; expected enabled: true, or the address of a listener without TLS`;
  }
  if (mechanisms === 'unknown') return undefined;
  const wanted = sasl.mechanism;
  if (mechanisms === undefined) {
    if (wanted === 'none') return undefined;
    return `Kafka (${broker}) takes no login there, and kafka.sasl.mechanism is ${wanted}; expected the address of a listener with SASL, or mechanism: none`;
  }
  const offered = mechanisms.map((name) => name.toLowerCase()).sort();
  if (offered.includes(wanted)) return undefined;
  const has = offered.length === 0 ? 'that it does not name' : offered.join(', ');
  const given = wanted === 'none' ? 'is none' : `is ${wanted}`;
  return `Kafka (${broker}) wants a login there by ${has}, and kafka.sasl.mechanism ${given}; expected one of those, or the address of another listener`;
}
