import { certificateFault } from '../../credentials/certificate-fault.ts';

interface Connection {
  connect(): Promise<boolean>;
  rejectRequests(error: Error): void;
}

/**
 * kafkajs' connection, whose failures over a certificate are final. The original tries each as often as a broker
 * that is away: with patient retries for ever, and without a word. Whether to try again is then decided by Penstock.
 */
export function decisiveConnection(Original: new (...args: never[]) => Connection): unknown {
  return class DecisiveConnection extends Original {
    override async connect(): Promise<boolean> {
      try {
        return await super.connect();
      } catch (error) {
        throw decisive(error as Error);
      }
    }

    /** In TLS 1.3 a refused client certificate shows only after the connection is made. */
    override rejectRequests(error: Error): void {
      super.rejectRequests(decisive(error));
    }
  };
}

function decisive(error: Error): Error {
  return certificateFault(error) === undefined ? error : Object.assign(error, { retriable: false });
}
