import type { KafkaAdmin } from '../../../io/kafka/admin/admin.ts';
import type { KafkaConnection } from '../../../io/kafka/client/connection.ts';
import type { Config } from '../../config/load.ts';

/** Context shared by all `penstock dead` actions. */
export interface DeadSession {
  readonly config: Config;
  readonly connection: KafkaConnection;
  readonly admin: KafkaAdmin;
  readonly topic: string;
  readonly json: boolean;
}

/** Says on standard error which partitions of the topic are left out. */
export function sayUnreadable(topic: string, partitions: readonly number[]): void {
  if (partitions.length === 0) return;
  process.stderr.write(
    `partition ${partitions.join(', ')} of ${topic} cannot be read now: no broker leads it, or its leader does not answer; ` +
      'what is there is left out\n',
  );
}
