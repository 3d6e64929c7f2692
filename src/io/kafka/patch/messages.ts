/**
 * The one place in which errors are told apart by their text: those of kafkajs that carry nothing else. They are pinned
 * with its version. Anything else is decided by class, name, code or type.
 */

/** Before it has learnt the broker's API versions. */
export function saysNotConnected(message: string): boolean {
  return message === 'Broker not connected';
}

/** It reports a connection that broke during a login as a refused login. */
export function saysLoginInterrupted(message: string): boolean {
  return /failed: (Closed connection|Connection |Not connected|Request .* timed out)/.test(message);
}

/** The broker does not offer the mechanism. */
export function saysMechanismUnsupported(message: string): boolean {
  return message.includes('mechanism is not supported');
}

/** A log entry on what sockets do not report: a refused login, and a broker that does not answer. */
export function saysLoginOrTimeout(namespace: string, message: string): boolean {
  return namespace.startsWith('SaslAuthenticator-') || message === 'Connection timeout';
}

/** Begins what is said of a token endpoint that gives no token. */
export const NO_TOKEN = 'No token from';

/** An error of the token endpoint. When kafkajs gives up it keeps only the message, and the cause of the error. */
export function saysNoToken(message: string): boolean {
  return message.startsWith(NO_TOKEN);
}
