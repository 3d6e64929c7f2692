import type { KafkaSession } from '../kafka-session.ts';

/** What the actions of `penstock dead` work with. */
export interface DeadSession extends KafkaSession {
  /** The dead-letter topic. */
  readonly topic: string;
}

/** Says on standard error which partitions of the topic are left out. */
export function sayUnreadable(topic: string, partitions: readonly number[]): void {
  if (partitions.length === 0) return;
  process.stderr.write(
    `partition ${partitions.join(', ')} of ${topic} cannot be read now: no broker leads it, or its leader does not answer; ` +
      'what is there is left out\n',
  );
}
